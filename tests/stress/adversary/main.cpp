/// An attack on the margins of every bound: inputs are changed, bit by bit, to use up as much of a margin as they can.
///
/// Each climb starts at an input made by one of several recipes and keeps changes that do not lower what is used; the
/// same seed makes the same climb. What no climb can do is a proof, but what one finds is a fault.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "moverank/simd.hpp"
#include "target.hpp"

namespace {

using namespace adversary;
using Clock = std::chrono::steady_clock;

constexpr const char* usage =
    "adversary [--minutes M | --climbs N] [--seed S] [--target NAME] [--margin-scale X]\n"
    "  --minutes M       attack for so long, all targets by turns (25)\n"
    "  --climbs N        so many climbs a target instead; each has to use up what even a short attack finds\n"
    "  --seed S          of the first climb; the next have those that follow (1)\n"
    "  --target NAME     targets with this in their names alone\n"
    "  --margin-scale X  take margins to be X times what they are: a fault is what uses up more (1)\n"
    "Ends with 1 if a bound is violated.\n";

struct Options {
    double minutes = 25.0;
    std::int64_t climbs = 0;
    std::uint64_t seed = 1;
    std::string target;
    double margin_scale = 1.0;
};

[[nodiscard]] Options parsed(int count, char** arguments) {
    Options options;
    for (int k = 1; k < count; k += 2) {
        const std::string_view name = arguments[k];
        if (k + 1 == count) {
            throw std::invalid_argument("an option without a value");
        }
        const std::string value = arguments[k + 1];
        if (name == "--minutes") {
            options.minutes = std::stod(value);
        } else if (name == "--climbs") {
            options.climbs = std::stoll(value);
        } else if (name == "--seed") {
            options.seed = std::stoull(value);
        } else if (name == "--target") {
            options.target = value;
        } else if (name == "--margin-scale") {
            options.margin_scale = std::stod(value);
        } else {
            throw std::invalid_argument("no such option: " + std::string(name));
        }
    }
    return options;
}

/// The results of the attacks on one target.
struct Result {
    double used = 0.0;
    std::uint64_t seed = 0;  ///< of the climb that used the most
    std::int64_t climbs = 0, inputs = 0;
};

void climb(Target& target, std::uint64_t seed, Result& result) {
    // Every eighth climb goes on for longer, so that long vectors are climbed to the end as well.
    const int most_steps = seed % 8 == 0 ? 40'000 : 4'000;
    const int most_idle_steps = most_steps / 10;
    Random random(seed);
    ++result.climbs;
    Genome best = target.begin(random);
    std::optional<double> used = target.used(best);
    for (int step = 0, idle = 0; step < most_steps && idle < most_idle_steps; ++step, ++idle) {
        // Until the first input that passes, new ones.
        Genome next = used ? best : target.begin(random);
        if (used) {
            mutate(next, random);
        }
        const std::optional<double> now = target.used(next);
        ++result.inputs;
        if (now && (!used || *now >= *used)) {
            idle = used && *now == *used ? idle : 0;
            best = std::move(next);
            used = now;
        }
    }
    if (used && *used > result.used) {
        result.used = *used;
        result.seed = seed;
    }
}

void report(const Targets& targets, const std::vector<Result>& results) {
    std::printf("%-34s %8s %8s %10s %8s\n", "bound", "used", "climbs", "inputs", "seed");
    for (std::size_t t = 0; t < targets.size(); ++t) {
        const Result& result = results[t];
        std::printf("%-34s %8.4f %8lld %10lld %8llu\n", targets[t]->name().c_str(), result.used,
                    static_cast<long long>(result.climbs), static_cast<long long>(result.inputs),
                    static_cast<unsigned long long>(result.seed));
    }
}

[[nodiscard]] int attack(const Options& options) {
    Targets targets;
    add_costs(targets);
    add_pooled(targets);
    add_codes(targets);
    add_bags(targets);
    add_solves(targets);
    add_sinkhorn(targets);
    std::erase_if(targets,
                  [&](const auto& target) { return target->name().find(options.target) == std::string::npos; });
    if (targets.empty()) {
        throw std::invalid_argument("no target of that name");
    }
    std::cerr << "instruction set " << moverank::simd_level() << ", first seed " << options.seed << "\n";

    std::vector<Result> results(targets.size());
    const Clock::time_point start = Clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    double next_news = 30.0;
    for (std::int64_t round = 0; options.climbs > 0 ? round < options.climbs : seconds() < 60.0 * options.minutes;
         ++round) {
        for (std::size_t t = 0; t < targets.size(); ++t) {
            climb(*targets[t], options.seed + static_cast<std::uint64_t>(round), results[t]);
        }
        if (seconds() > next_news) {
            next_news = seconds() + 30.0;
            const auto worst = std::ranges::max_element(results, {}, &Result::used);
            std::cerr << round + 1 << " rounds in " << static_cast<int>(seconds()) << " s, at most " << worst->used
                      << " of a margin: " << targets[static_cast<std::size_t>(worst - results.begin())]->name() << "\n";
        }
    }
    report(targets, results);

    bool faulty = false;
    for (std::size_t t = 0; t < targets.size(); ++t) {
        if (results[t].used > options.margin_scale) {
            std::cout << "VIOLATED " << targets[t]->name() << ", seed " << results[t].seed << "\n";
            faulty = true;
        }
        if (options.climbs > 0 && results[t].used < targets[t]->teeth()) {
            std::cout << "BLUNT " << targets[t]->name() << ": less than " << targets[t]->teeth() << "\n";
            faulty = true;
        }
    }
    return faulty ? 1 : 0;
}

}  // namespace

int main(int count, char** arguments) {
    try {
        return attack(parsed(count, arguments));
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n" << usage;
        return 2;
    }
}
