/// A soak: random problems of mixed size and pathology, each a function of one seed, held against proofs, oracles and
/// each other. See ../README.md for what is checked and how to run it.
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "report.hpp"
#include "run.hpp"
#include "transport.hpp"

namespace {

using namespace soak;

constexpr const char* usage = R"(soak [options]

  --from SEED       the first seed (0)
  --count N         how many (1000)
  --seed SEED       this one alone, with a description
  --threads N       problems at a time (1)
  --state FILE      go on from there, and keep it up to date
  --expect FILE     the state of a run on another instruction set: digests have to be the same
  --plants N        plant each flaw in turn; each has to be found within N seeds
  --plant NAME      one of them
  --quiet           no progress
  --interrupt N     send SIGINT after N blocks of seeds, to try what --state is for
)";

[[nodiscard]] Flaw flaw_named(std::string_view name) {
    for (std::size_t flaw = 0; flaw < n_flaws; ++flaw) {
        if (name == planted_flaws[flaw].name) {
            return static_cast<Flaw>(flaw);
        }
    }
    throw std::invalid_argument("no flaw is called " + std::string(name));
}

[[nodiscard]] Options parse(const std::vector<std::string>& arguments) {
    Options options;
    for (std::size_t k = 0; k < arguments.size(); ++k) {
        const std::string& name = arguments[k];
        const auto text = [&]() -> const std::string& {
            if (k + 1 == arguments.size()) {
                throw std::invalid_argument(name + " needs a value");
            }
            return arguments[++k];
        };
        const auto number = [&] { return std::uint64_t{std::stoull(text())}; };
        if (name == "--from") {
            options.from = number();
        } else if (name == "--count") {
            options.count = number();
        } else if (name == "--seed") {
            options.seed = number();
        } else if (name == "--threads") {
            options.threads = std::max(1U, static_cast<unsigned>(number()));
        } else if (name == "--state") {
            options.state = text();
        } else if (name == "--expect") {
            options.expect = text();
        } else if (name == "--plants") {
            options.plants = number();
        } else if (name == "--plant") {
            options.planted = flaw_named(text());
        } else if (name == "--interrupt") {
            options.interrupt = number();
        } else if (name == "--quiet") {
            options.quiet = true;
        } else {
            throw std::invalid_argument("unknown option " + name + "\n\n" + usage);
        }
    }
    return options;
}

[[nodiscard]] int replay(std::uint64_t seed, Flaw planted) {
    Solvers solvers;
    Report report(seed, planted);
    check_seed(seed, solvers, report);
    Counts counts;
    report.add_to(counts);
    std::cout << "seed " << seed << ": " << report.description() << '\n';
    for (std::size_t c = 0; c < n_claims; ++c) {
        if (counts.checks[c] > 0) {
            std::cout << "  " << counts.checks[c] << " x " << claim_names[c] << '\n';
        }
    }
    for (std::size_t d = 0; d < std::size(digest_names); ++d) {
        std::cout << "  digest of " << digest_names[d] << ": " << std::hex << report.digests()[d] << std::dec << '\n';
    }
    for (const std::string& violation : counts.violations) {
        std::cout << violation << '\n';
    }
    std::cout << (report.holds() ? "all hold\n" : "VIOLATED\n");
    return report.holds() ? EXIT_SUCCESS : EXIT_FAILURE;
}

// ---- planted flaws --------------------------------------------------------------------------------------------------

/// Whether each is found by the claim that is there to find it.
[[nodiscard]] int plant_all(const Options& options) {
    int missed = 0;
    for (std::size_t planted = 1; planted < n_flaws; ++planted) {
        const auto& [name, finder] = planted_flaws[planted];
        Solvers solvers;
        std::uint64_t tried = 0;
        bool found = false;
        while (!found && tried < options.plants) {
            Report report(options.from + tried, static_cast<Flaw>(planted));
            check_seed(options.from + tried, solvers, report);
            found = report.violates(finder);
            ++tried;
        }
        missed += found ? 0 : 1;
        std::cout << name << (found ? ": found by '" : ": NOT found by '")
                  << claim_names[static_cast<std::size_t>(finder)] << "' in " << tried << " problems" << std::endl;
    }
    return missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Options options = parse({argv + 1, argv + argc});
        if (options.threads > max_threads) {
            throw std::invalid_argument("at most " + std::to_string(max_threads) + " threads");
        }
        if (options.planted != Flaw::none && !options.state.empty()) {
            throw std::invalid_argument("what is planted belongs into no state");
        }
        return options.seed         ? replay(*options.seed, options.planted)
               : options.plants > 0 ? plant_all(options)
                                    : soak_all(options);
    } catch (const std::exception& error) {
        std::cerr << "soak: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
