"""Models the garbage collection of docs/invariants.md (steps G0 to G6) for one chunk, beside writers, other collections and
forgetting. It is for contributors who change the protocol: change the model first.

    python3 collection.py            every case below
    python3 collection.py RULE W C   without RULE ("none": with all rules), W writers, C collections

Two packs hold the chunk, and one generation refers to it, which is forgotten at some moment. Each operation on the
storage is one step, and the search tries every interleaving of steps. A state is wrong if a published generation refers to
the chunk and no pack that exists and is indexed holds it. Each rule of the protocol can be left out. The search must then
find a way to lose the chunk, or the rule would be unnecessary.
"""

import sys

from search import judge, search

nothing = frozenset()

# What happens without each rule. The names are those of chunkstore/src/simulation.rs, for the rules that exist there.
RULES = {
    "Session": "a writer has no session object",
    "SessionFirst": "a writer reads the marks before it creates its session",
    "MarksFirst": "a writer reads the index before the marks",
    "NoTrust": "a writer trusts its parent generation",
    "Fence": "a session that is considered dead is not fenced",
    "Wait": "a sweep does not wait for the sessions that were open",
    "PacksLast": "a sweep reads the packs before the marks",
    "OthersMarks": "a copy that another mark condemns counts",
    "MarkLast": "a mark is deleted before the packs that it names",
}


def start(writers, collectors):
    packs = frozenset({"p", "q"})
    writer = (0, nothing, nothing)  # step, condemned packs that it has seen, its view
    # step, mark, sessions to wait for, others' marks, packs, needed
    collector = (0, nothing, nothing, nothing, nothing, False)
    generations = frozenset({("old", "manifest")})
    return (packs, packs, nothing, (), generations, (writer,) * writers, (collector,) * collectors, False)


def condemned(marks, but=None):
    return frozenset(pack for owner, packs in marks if owner != but for pack in packs)


def needed(generations):
    return any(what == "manifest" for _, what in generations)


def is_wrong(state):
    packs, index, _, _, generations, *_ = state
    return needed(generations) and not packs & index


def replaced(actors, number, actor):
    return actors[:number] + (actor,) + actors[number + 1:]


def steps(state, rule):
    yield from forget(state)
    for number in range(len(state[5])):
        yield from writer_steps(state, number, rule)
    for number in range(len(state[6])):
        yield from collector_steps(state, number, rule)


def forget(state):
    packs, index, sessions, marks, generations, writers, collectors, forgotten = state
    if not forgotten:
        left = generations - {("old", "manifest")}
        yield "forget", (packs, index, sessions, marks, left, writers, collectors, True)


def writer_steps(state, number, rule):
    packs, index, sessions, marks, generations, writers, collectors, forgotten = state
    step, seen, view = writers[number]
    me = f"w{number}"

    def to(then, what, packs=packs, index=index, sessions=sessions, generations=generations, seen=seen, view=view):
        if then == 6:  # Its memory no longer matters.
            seen, view = nothing, nothing
        actor = replaced(writers, number, (then, seen, view))
        return f"{me} {what}", (packs, index, sessions, marks, generations, actor, collectors, forgotten)

    begun = sessions if rule == "Session" else sessions | {me}
    if step == 0:
        if rule == "SessionFirst":
            yield to(1, "reads marks", seen=condemned(marks))
        else:
            yield to(1, "begins", sessions=begun)
    elif step == 1:
        if rule == "SessionFirst":
            yield to(2, "begins", sessions=begun)
        elif rule == "MarksFirst":
            yield to(2, "reads the index", view=index)
        else:
            yield to(2, "reads marks", seen=condemned(marks))
    elif step == 2:
        if rule == "MarksFirst":
            yield to(3, "reads marks", view=view - condemned(marks))
        elif rule == "NoTrust" and ("old", "manifest") in generations:
            yield to(3, "trusts its parent", view=frozenset({"parent"}))
        else:
            yield to(3, "reads the index", view=(index & packs) - seen)
    elif step == 3:
        if view:
            yield to(5, "refers to it")
        else:
            yield to(4, "stores it", packs=packs | {me})
    elif step == 4:
        yield to(5, "indexes it", index=index | {me})
    elif step == 5:
        if (me, "fence") in generations:
            yield to(6, "is fenced", sessions=sessions - {me})
        else:
            yield to(6, "publishes", generations=generations | {(me, "manifest")})


def collector_steps(state, number, rule):
    packs, index, sessions, marks, generations, writers, collectors, forgotten = state
    step, mark, waits, others, there, alive = collectors[number]
    me = f"c{number}"

    def to(then, what, packs=packs, index=index, sessions=sessions, marks=marks, generations=generations, mark=mark,
           waits=waits, others=others, there=there, alive=alive):
        if then == 99:
            mark, waits, others, there, alive = nothing, nothing, nothing, nothing, False
        actor = replaced(collectors, number, (then, mark, waits, others, there, alive))
        return f"{me} {what}", (packs, index, sessions, marks, generations, writers, actor, forgotten)

    if step == 0:
        yield to(1, "reads marks", others=condemned(marks))
    elif step == 1:
        # Keeps any one of several copies, or none if nobody needs the chunk; or moves the chunk out of all of them.
        good = (index & packs) - others
        if not needed(generations):
            yield to(3, "plans to drop all", mark=good) if good else to(99, "has nothing to do")
        elif good:
            if len(good) > 1:
                for kept in sorted(good):
                    yield to(3, f"plans to keep {kept}", mark=good - {kept})
            yield to(2, "moves it", mark=good, packs=packs | {"m" + me})
    elif step == 2:
        yield to(3, "indexes what it moved", index=index | {"m" + me})
    elif step == 3:
        yield to(4, "marks", marks=marks + ((me, mark),))
    elif step == 4:
        yield to(5, "lists sessions", waits=nothing if rule == "Wait" else sessions)
    elif step == 5:
        open_ones = waits & sessions
        if not open_ones:
            yield to(6, "has waited")
        for one in sorted(open_ones):
            if (one, "manifest") in generations:
                yield to(5, f"sees the end of {one}", sessions=sessions - {one})
            elif rule == "Fence":
                yield to(5, f"considers {one} dead", sessions=sessions - {one})
            else:
                fence = generations | {(one, "fence")}
                yield to(5, f"fences {one}", sessions=sessions - {one}, generations=fence)
    elif step == 6:
        if rule == "PacksLast":
            yield to(7, "lists packs", there=packs & index)
        else:
            yield to(7, "reads marks again", others=condemned(marks, me))
    elif step == 7:
        if rule == "PacksLast":
            yield to(8, "reads marks again", others=condemned(marks, me))
        else:
            yield to(8, "lists packs", there=packs & index)
    elif step == 8:
        yield to(9, "reads manifests", alive=needed(generations))
    elif step == 9:
        copies = there - mark if rule == "OthersMarks" else there - mark - others
        if alive and not copies:
            yield to(99, "keeps all")
        elif rule == "MarkLast":
            yield to(10, "removes its mark", marks=tuple(one for one in marks if one[0] != me))
        else:
            yield to(10, "sweeps")
    elif step == 10:
        yield to(11, "removes index entries", index=index - mark)
    elif step == 11:
        yield to(12, "deletes packs", packs=packs - mark)
    elif step == 12:
        yield to(99, "removes its mark", marks=tuple(one for one in marks if one[0] != me))


def run(rule, writers, collectors):
    return search(start(writers, collectors), lambda state: steps(state, rule), is_wrong)


def main():
    if len(sys.argv) == 4:
        rule, writers, collectors = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        sys.exit(not judge(rule, rule not in RULES, run(rule, writers, collectors)))
    right = [judge(f"all rules, {w} writers, {c} collections", True, run("none", w, c)) for w, c in ((1, 2), (2, 1))]
    for rule, means in RULES.items():
        right.append(judge(f"without {rule}: {means}", False, run(rule, 1, 2)))
    sys.exit(not all(right))


main()
