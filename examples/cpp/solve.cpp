#include <iostream>
#include <vector>

#include "moverank/exact.hpp"

int main() {
    const std::vector<float> cost{0.0F, 2.0F, 1.0F, 3.0F};
    const std::vector<double> a{0.75, 0.25};
    const std::vector<double> b{0.5, 0.5};
    moverank::ExactSolver solver;
    const moverank::SolveSummary summary = solver.solve(moverank::TransportProblem<float>{{cost.data(), 2, 2}, a, b});
    std::cout << "value " << summary.value << ", gap " << summary.gap() << "\n";
    return summary.value == 1.25 ? 0 : 1;
}
