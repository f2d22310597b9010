#include "moverank/joined.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "../preconditions.hpp"
#include "moverank/mass.hpp"
#include "moverank/weighting_traits.hpp"

namespace moverank {

namespace {

template <class Part>
void require_joinable(const std::vector<const Part*>& parts) {
    if (parts.empty()) {
        throw std::invalid_argument("expected at least one collection");
    }
    for (const Part* part : parts) {
        if (part->dim() != parts.front()->dim()) {
            throw std::invalid_argument("collections of different dimensions cannot be searched as one");
        }
        if (!(part->measure() == parts.front()->measure())) {
            throw std::invalid_argument("collections prepared for different measures cannot be searched as one");
        }
    }
}

}  // namespace

Joints::Place Joints::operator()(std::size_t s) const {
    require(s < size(), "there is no document at this position");
    // Most documents stand in the first, large part.
    if (s < ends_.front()) {
        return {0, s};
    }
    const auto end = std::ranges::upper_bound(ends_, s);
    return {static_cast<std::size_t>(end - ends_.begin()), s - *(end - 1)};
}

JoinedSequences::JoinedSequences(std::vector<const PreparedSequences*> parts) : parts_(std::move(parts)) {
    require_joinable(parts_);
    for (const PreparedSequences* part : parts_) {
        joints_.append(part->size());
        max_norm_ = std::max(max_norm_, part->max_norm());
    }
}

PreparedSequence JoinedSequences::at(std::size_t s, DocumentBuffer&) const {
    const auto [part, position] = joints_(s);
    return (*parts_[part])[position];
}

JoinedCodes::JoinedCodes(const std::vector<const PreparedSequences*>& sequences,
                         std::vector<const PreparedCodes*> codes)
    : parts_(std::move(codes)) {
    if (sequences.size() != parts_.size()) {
        throw std::invalid_argument("expected codes for every collection");
    }
    for (std::size_t part = 0; part < parts_.size(); ++part) {
        require(&parts_[part]->sequences() == sequences[part], "the codes belong to another collection");
        joints_.append(sequences[part]->size());
        largest_norm_ = std::max(largest_norm_, parts_[part]->largest_norm());
    }
    if (!parts_.empty()) {
        type_ = parts_.front()->type();
    }
}

CodedSequence JoinedCodes::at(std::size_t s) const {
    const auto [part, position] = joints_(s);
    return parts_[part]->at(position);
}

double JoinedCodes::slack(std::size_t s, double query_norm) const {
    const auto [part, position] = joints_(s);
    return parts_[part]->slack(position, query_norm);
}

// Inverse norms and masses of words are gathered into one array over all parts, because a bag of a later part uses
// words of earlier ones. Vectors stay in the tables of their parts: they are read once per query, table by table.
JoinedBags::JoinedBags(std::vector<const PreparedBags*> parts) : parts_(std::move(parts)) {
    require_joinable(parts_);
    const bool is_cosine = measure().ground == GroundCost::cosine;
    const WeightingTraits& weighting = traits(measure().weighting);
    for (const PreparedBags* part : parts_) {
        require(part->arrays().first_word == n_words_,
                "the words of a collection must be numbered from the end of those before it");
        joints_.append(part->size());
        require(part == parts_.front() || !part->has_given_costs() || part->n_new_words() == 0,
                "only the first collection may have given costs");
        n_words_ += part->n_new_words();
        longest_ = std::max(longest_, part->longest());
        for (const double norm : part->norms()) {
            if (is_cosine) {
                // A zero vector is here only where it has no mass.
                inverse_norms_.push_back(norm == 0.0 ? 1.0F : static_cast<float>(1.0 / norm));
            }
            if (weighting.needs_vectors) {
                word_mass_.push_back(weighting.mass(norm));
            }
        }
    }
}

PreparedSequence JoinedBags::at(std::size_t s, DocumentBuffer& buffer) const {
    auto [words, counts, total] = (*this)[s];
    buffer.mass.resize(words.size());
    // Counts were checked when the bag was prepared, but a file may have been damaged since: NaN, infinities and
    // negative numbers are refused here, where they would reach a solver.
    bool massless = false;
    bool has_mass = false;
    for (std::size_t j = 0; j < words.size(); ++j) {
        const double count = counts.empty() ? 1.0 : counts[j];
        buffer.mass[j] = count * (word_mass_.empty() ? 1.0 : word_mass_[words[j]]);
        massless |= buffer.mass[j] == 0.0;
        has_mass |= buffer.mass[j] > 0.0;
        if (!(buffer.mass[j] >= 0.0 && std::isfinite(buffer.mass[j]))) {
            throw std::invalid_argument("the mass of a word is not a positive number");
        }
    }
    if (!has_mass) {
        throw std::invalid_argument("a bag has no mass");
    }
    // Words whose mass is the norm of a zero vector are dropped: solvers want positive masses, and such words may have
    // no direction either. The words of the part itself cannot change, so the others are copied.
    if (massless) {
        buffer.words.clear();
        std::size_t kept = 0;
        for (std::size_t j = 0; j < words.size(); ++j) {
            if (buffer.mass[j] > 0.0) {
                buffer.words.push_back(words[j]);
                buffer.mass[kept++] = buffer.mass[j];
            }
        }
        buffer.mass.resize(kept);
        words = buffer.words;
    }
    // Not divided by `total`, but as sequences are: distances of bags are bit for bit those of their sequences.
    normalise(buffer.mass);
    if (measure().problem == Problem::entropic && measure().sinkhorn.debiased) {
        return with_tokens(words, buffer);  // costs within the document are needed as well
    }
    return {.tokens = {}, .mass = buffer.mass, .inverse_norms = {}, .words = words};
}

PreparedSequence JoinedBags::as_query(const PreparedSequence& bag, DocumentBuffer& buffer) const {
    return has_given_costs() || bag.words.empty() ? bag : with_tokens(bag.words, buffer);
}

PreparedSequence JoinedBags::with_tokens(std::span<const std::uint32_t> words, DocumentBuffer& buffer) const {
    buffer.tokens.resize(words.size() * dim());
    buffer.inverse_norms.resize(inverse_norms_.empty() ? 0 : words.size());
    for (std::size_t j = 0; j < words.size(); ++j) {
        // The part whose table has the word: the last one that begins at or before it. There are few parts.
        std::size_t part = parts_.size() - 1;
        while (words[j] < first_word(part)) {
            --part;
        }
        decode(table(part).run(words[j] - first_word(part), 1), std::span(buffer.tokens).subspan(j * dim(), dim()));
        if (!inverse_norms_.empty()) {
            buffer.inverse_norms[j] = inverse_norms_[words[j]];
        }
    }
    return {{buffer.tokens.data(), words.size(), dim()}, buffer.mass, buffer.inverse_norms};
}

}  // namespace moverank
