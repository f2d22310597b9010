"""English words of the closed classes: articles, pronouns, prepositions, conjunctions, auxiliary verbs, particles."""

from __future__ import annotations

STOP_WORDS: frozenset[str] = frozenset(
    """
    a an the this that these those some any each every either neither no such
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
    we us our ours ourselves they them their theirs themselves one oneself
    who whom whose which what whoever whatever whichever someone somebody something anyone anybody anything
    everyone everybody everything nobody nothing none
    of in on at by to from for with about against between into through during before after above below under over
    up down out off across along among around behind beside besides beyond near onto per since than toward towards
    until upon via within without
    and or but nor so yet if because as although though while whereas whether unless when where why how
    am is are was were be been being have has had having do does did doing done
    can could may might must shall should will would ought
    not n't 's s t d ll m re ve don't doesn't didn't isn't aren't wasn't weren't hasn't haven't hadn't won't wouldn't
    can't cannot couldn't shouldn't mustn't i'm you're he's she's it's we're they're i've you've we've they've i'd
    you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll that's there's here's what's who's let's
    here there then also too very just only even again once ever never always already still both all more most much
    many few less least other another same own else however therefore thus hence
    """.split()  # noqa: SIM905 - a list of strings would be a page
)
