"""``python -m paraphrase --target TEXT`` or ``--keywords WORDS``."""

from __future__ import annotations

import argparse
import sys

from moverank.errors import NoTokensError
from paraphrase import corpus, mixing, sampler, search
from paraphrase.language_model import KneserNey


def main(arguments: list[str] | None = None) -> int:
    """Search, and say what was found and how well the chains mixed."""
    parser = argparse.ArgumentParser(prog="python -m paraphrase", description="Find sentences near a text.")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--target", metavar="TEXT", help="say this in other words")
    wanted.add_argument("--keywords", metavar="WORDS", help="make a sentence about these words")
    parser.add_argument("--steps", type=int, default=2000, help="moves per chain (default: 2000)")
    parser.add_argument("--chains", type=int, default=8, help="chains, two at least (default: 8)")
    parser.add_argument("--tries", type=int, default=16, help="words to measure per move (default: 16)")
    parser.add_argument("--fluency", type=float, default=0.1, help="distance worth one nat per word (default: 0.1)")
    parser.add_argument("--temperature", type=float, default=0.004, help="after cooling (default: 0.004)")
    parser.add_argument("--best", type=int, default=8, help="most sentences to show (default: 8)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    if args.chains < 2 or args.steps < 100 or args.tries < 1 or args.best < 1:
        parser.error("expected at least 2 chains, 100 steps, 1 try and 1 sentence to show")
    if not args.temperature > 0 or not args.fluency >= 0:
        parser.error("expected a temperature above 0 and a fluency of at least 0")

    known = corpus.load()
    model = KneserNey(known.sentences, len(known.words))
    name, text = ("--target", args.target) if args.keywords is None else ("--keywords", args.keywords)
    begin = search.paraphrase if args.keywords is None else search.from_keywords
    try:
        made = begin(
            text, known, model, fluency=args.fluency, chains=args.chains, tries=args.tries, seed=args.seed
        )  # fmt: skip
    except NoTokensError:
        parser.error(f"{name}: expected at least one word that has a vector, got {text!r}")
    print(f"{len(known.words)} words, {len(known.sentences)} sentences; target: {' '.join(made.tokens)}")
    schedule = sampler.Schedule.annealed(args.temperature, args.steps)
    found = sampler.run(made.energy, made.moves, made.starts, schedule, seed=args.seed, keep=sampler.KEPT)
    report(found, made, known, args.best)
    return 0


def report(found: sampler.Run, made: search.Search, known: corpus.Corpus, count: int) -> None:
    """Print the best sentences that are unlike, the speed, and how well the chains mixed."""
    print("\nenergy  distance  nats per word  sentence")
    for energy, sentence in search.unlike(found.best, count):
        distance = float(made.energy.distances([sentence])[0])
        print(f"{energy:>6.3f}  {distance:>8.3f}  {made.energy.surprise(sentence):>13.2f}  {known.text(sentence)}")
    work = made.energy
    print(
        f"\n{work.evaluations} sentences measured in {found.seconds:.1f} s: {work.evaluations / found.seconds:.0f} per "
        f"second in all, {work.evaluations / work.seconds_of_transport:.0f} per second of transport, "
        f"{work.evaluations / work.seconds_of_model:.0f} per second of the language model"
    )
    shares = ", ".join(f"{kind} {share:.1%} of {found.tried[kind]}" for kind, share in found.acceptance().items())
    print(f"accepted after cooling: {shares}")
    print(mixing.told("energy", found.energies[found.cooling :]))
    print(mixing.told("length", found.lengths[found.cooling :]))


if __name__ == "__main__":
    sys.exit(main())
