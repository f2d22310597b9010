/// The module moverank._core: argument checks, GIL, zero-copy views; no algorithm lives here.
#include <pybind11/pybind11.h>

#include "arrays.hpp"
#include "moverank/simd.hpp"

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of moverank. Private: use the package's functions.";
    module.attr("__version__") = MOVERANK_VERSION;
    (void)moverank::simd_level();  // where no level can run, the import fails and says why
    moverank::bindings::bind_sequences(module);
    moverank::bindings::bind_transport(module);
    moverank::bindings::bind_sparse(module);
    moverank::bindings::bind_prepared(module);
    moverank::bindings::bind_search(module);
    moverank::bindings::bind_cells(module);
    moverank::bindings::bind_distances(module);
    moverank::bindings::bind_gradient(module);
}
