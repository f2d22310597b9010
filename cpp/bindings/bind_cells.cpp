/// The first stage over tokens: the cells of tokens, and documents by cell.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "moverank/codebook.hpp"
#include "moverank/token_stage.hpp"
#include "query.hpp"

namespace moverank::bindings {

namespace {

/// Bags of centroids, and inverted lists over their cells; keeps the arrays alive.
class TokenStage {
  public:
    using Part = std::pair<Offsets, Array<std::uint32_t>>;

    TokenStage(std::shared_ptr<const BagCorpus> bags, std::vector<Part> lists, const std::vector<std::size_t>& sizes)
        : bags_(std::move(bags)), arrays_(std::move(lists)), lists_(views_of(arrays_), sizes) {}

    [[nodiscard]] Array<std::int64_t> nearest(const Query& query, std::size_t count, std::size_t n_cells,
                                              std::size_t n_ranked, const std::optional<Array<std::int64_t>>& positions,
                                              int num_threads) const {
        const PreparedSequence& prepared =
            query.prepared_for_masses(bags_->documents().measure(), bags_->documents().dim());
        std::optional<std::span<const std::int64_t>> among;
        if (positions) {
            among = as_span(*positions);
        }
        Interrupt interrupt = python_interrupt();
        std::vector<std::int64_t> found;
        {
            const py::gil_scoped_release unlocked;
            found = nearest_by_tokens(bags_->documents(), lists_, prepared, {n_cells, n_ranked}, count, among,
                                      num_threads, interrupt);
        }
        return Array<std::int64_t>(static_cast<py::ssize_t>(found.size()), found.data());
    }

  private:
    [[nodiscard]] static std::vector<CellLists> views_of(const std::vector<Part>& parts) {
        std::vector<CellLists> views;
        for (const auto& [offsets, documents] : parts) {
            views.push_back({checked_offsets(offsets, as_span(documents).size()), as_span(documents)});
        }
        return views;
    }

    std::shared_ptr<const BagCorpus> bags_;
    std::vector<Part> arrays_;
    JoinedCellLists lists_;
};

}  // namespace

void bind_cells(py::module_& module) {
    py::class_<Codebook>(module, "Codebook")
        .def(py::init([](const Tokens& centroids, const Tokens& coarse, const Offsets& firsts) {
                 return std::make_unique<Codebook>(as_matrix(centroids), as_matrix(coarse), as_span(firsts));
             }),
             py::arg("centroids").noconvert(), py::arg("coarse").noconvert(), py::arg("firsts").noconvert())
        .def(
            "assign",
            [](const Codebook& codebook, const StoredTokens& stored, const std::optional<Array<float>>& factors,
               int num_threads) {
                const TokensView& tokens = stored.view();
                const std::span<const float> multiplied = factors ? as_span(*factors) : std::span<const float>{};
                const auto n = static_cast<py::ssize_t>(tokens.rows());
                Array<std::uint16_t> cells(n);
                Array<float> distances(n);
                const std::span<std::uint16_t> of_cells(cells.mutable_data(), tokens.rows());
                const std::span<float> of_distances(distances.mutable_data(), tokens.rows());
                Interrupt interrupt = python_interrupt();
                {
                    const py::gil_scoped_release unlocked;
                    codebook.assign(tokens, multiplied, of_cells, of_distances, num_threads, interrupt);
                }
                return std::pair(cells, distances);
            },
            py::arg("tokens"), py::arg("factors").noconvert().none(true), py::arg("num_threads"));
    py::class_<TokenStage>(module, "TokenStage")
        .def(py::init<std::shared_ptr<const BagCorpus>, std::vector<TokenStage::Part>,
                      const std::vector<std::size_t>&>(),
             py::arg("bags"), py::arg("lists"), py::arg("sizes"))
        .def("nearest", &TokenStage::nearest, py::arg("query"), py::kw_only(), py::arg("count"), py::arg("n_cells"),
             py::arg("n_ranked"), py::arg("positions").noconvert().none(true), py::arg("num_threads"));
}

}  // namespace moverank::bindings
