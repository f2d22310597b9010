#include "queried_bags.hpp"

namespace moverank {

QueriedBags::QueriedBags(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt)
    : bags_(bags) {
    PositivePart part;
    const PreparedSequence positive = part.of(query);
    costs_.compute(bags, positive, n_threads, interrupt);
    query_mass_.assign(positive.mass.begin(), positive.mass.end());
}

void QueriedBags::reuse(std::span<const double> potentials) {
    potentials_.assign(potentials.begin(), potentials.end());
    sums_.reset();
}

const BagBounds& QueriedBags::sums() {
    if (sums_) {
        return *sums_;
    }
    const bool usable = bags_.measure().fraction == 1.0;
    return sums_.emplace(bags_, costs_, query_mass_, usable ? potentials_ : std::span<const double>{});
}

}  // namespace moverank
