/// The module moverank._core: argument checks, GIL, zero-copy views; no algorithm lives here.
#include <pybind11/pybind11.h>

#include "arrays.hpp"

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of moverank. Private: use the package's functions.";
    module.attr("__version__") = MOVERANK_VERSION;
    moverank::bindings::bind_sequences(module);
    moverank::bindings::bind_transport(module);
    moverank::bindings::bind_search(module);
}
