/// What is held against distances of token vectors, the bounds on these and searches.
#pragma once

#include "random.hpp"
#include "report.hpp"
#include "transport.hpp"

namespace soak {

void check_documents(Random& random, Solvers& solvers, Report& report);
void check_bags(Random& random, Report& report);

}  // namespace soak
