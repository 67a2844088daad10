"""Models what counts as evidence that a small file is present, once a collection moves files out of bundles. It is for
contributors who change these rules: change the model first.

    python3 files.py

A pack holds bundle B with the files a, b and c; three generations refer to (B, a), (B, b) and (B, c), and those of b and c
are forgotten at some moment. A collection that finds a bundle with dead files stores the needed ones in a new bundle, whose
pack lists each under its hash, and then condemns the old pack. It may do this twice, because the new bundle may get dead
files too. Writers back up b, which is unchanged since the generation that refers to (B, b).

(B, x) is present if B is complete, or x is listed, in a pack that exists, is indexed, and is in no mark. This is decided for
each file. A writer or sweep that concludes from one moved file of a bundle that the others are present loses data.

A writer may also trust its parent without lookups, if all index segments under which the parent's references were
checked are still listed, and no mark names a pack. `segments` is this rule without the marks.
"""

import sys
from itertools import product

from search import judge, search

nothing = frozenset()


def start(writers, collections):
    packs = frozenset({("p", "B", frozenset("abc"))})  # name, bundle, files in it; all but those of B are listed by hash
    generations = frozenset({("ga", "B", "a"), ("gb", "B", "b"), ("gc", "B", "c")})
    writer = (0, nothing, nothing)
    collector = (0, nothing, nothing, nothing, nothing, nothing, collections)
    return (packs, frozenset({"p"}), nothing, (), generations, (writer,) * writers, collector, nothing)


def is_there(bundle, file, packs, rule="file"):
    """Whether (bundle, file) is present in these packs."""
    for _, held, files in packs:
        if held == bundle or (held != "B" and file in files):
            return True
        if rule == "bundle" and held != "B" and files & frozenset("abc"):
            return True  # Some other file of B is present.
    return False


def condemned(marks, but=None):
    return frozenset(pack for owner, packs in marks if owner != but for pack in packs)


def references(generations):
    return frozenset((bundle, file) for _, bundle, file in generations if bundle != "fence")


def is_wrong(state):
    packs, index, _, _, generations, *_ = state
    good = [pack for pack in packs if pack[0] in index]
    return not all(is_there(bundle, file, good) for bundle, file in references(generations))


def steps(state, writer_rule, sweep_rule, trust):
    packs, index, sessions, marks, generations, writers, collector, forgotten = state
    for name in sorted({"gb", "gc"} - forgotten):
        left = frozenset(one for one in generations if one[0] != name)
        yield f"forget {name}", (packs, index, sessions, marks, left, writers, collector, forgotten | {name})
    for number in range(len(writers)):
        yield from writer_steps(state, number, writer_rule, trust)
    yield from collector_steps(state, sweep_rule)


def writer_steps(state, number, rule, trust):
    packs, index, sessions, marks, generations, writers, collector, forgotten = state
    step, seen, view = writers[number]
    me = f"w{number}"

    def to(then, what, packs=packs, index=index, sessions=sessions, generations=generations, seen=seen, view=view):
        if then == 8:
            seen, view = nothing, nothing
        actor = writers[:number] + ((then, seen, view),) + writers[number + 1:]
        return f"{me} {what}", (packs, index, sessions, marks, generations, actor, collector, forgotten)

    if step == 0:
        yield to(1, "begins", sessions=sessions | {me})
    elif step == 1:
        yield to(2, "reads marks", seen=condemned(marks))
    elif step == 2:
        view = frozenset(pack for pack in packs if pack[0] in index and pack[0] not in seen)
        listed = "p" in index
        trusted = {
            "no": False,
            "sound": listed and not seen,
            "segments": listed,
        }[trust]
        yield to(5 if trusted else 3, "trusts its parent" if trusted else "reads the index", view=view)
    elif step == 3:
        if is_there("B", "b", view, rule):
            yield to(5, "refers to (B, b)")
        else:
            yield to(4, "stores b", packs=packs | {(me, me, frozenset("b"))})
    elif step == 4:
        yield to(6, "indexes it", index=index | {me})
    elif step in (5, 6):
        if (me, "fence", "") in generations:
            yield to(8, "is fenced", sessions=sessions - {me})
        else:
            one = (me, "B" if step == 5 else me, "b")
            yield to(7, "publishes", generations=generations | {one})
    elif step == 7:
        yield to(8, "ends", sessions=sessions - {me})


def collector_steps(state, rule):
    packs, index, sessions, marks, generations, writers, collector, forgotten = state
    step, mark, waits, others, there, alive, left = collector
    me = f"c{left}"

    def to(then, what, packs=packs, index=index, sessions=sessions, marks=marks, generations=generations, mark=mark,
           waits=waits, others=others, there=there, alive=alive, left=left):
        if then == 0:
            mark, waits, others, there, alive, left = nothing, nothing, nothing, nothing, nothing, left - 1
        actor = (then, mark, waits, others, there, alive, left)
        return f"{me} {what}", (packs, index, sessions, marks, generations, writers, actor, forgotten)

    if step == 0 and left:
        yield to(1, "reads marks, index and packs", others=condemned(marks),
                 there=frozenset(pack for pack in packs if pack[0] in index))
    elif step == 1:
        yield to(2, "reads manifests", alive=references(generations))
    elif step == 2:
        # (X, f) uses X if that is present, else the bundle in which f is listed; what nothing uses is dead.
        good = frozenset(pack for pack in there if pack[0] not in others)
        whole = {held for _, held, _ in good}
        rests = {file for bundle, file in alive if bundle not in whole}
        uses = {name: frozenset(f for f in files if (held, f) in alive or held != "B" and f in rests)
                for name, held, files in good}
        poor = frozenset(pack for pack in good if uses[pack[0]] != pack[2])
        live = frozenset().union(*(uses[pack[0]] for pack in poor))
        names = frozenset(pack[0] for pack in poor)
        if not poor:
            yield to(0, "has nothing to do")
        elif live:
            new = (f"r{left}", f"R{left}", live)
            yield to(3, "moves " + "".join(sorted(live)), packs=packs | {new}, mark=names)
        else:
            yield to(4, "finds nothing to move", mark=names)
    elif step == 3:
        yield to(4, "indexes it", index=index | {f"r{left}"})
    elif step == 4:
        yield to(5, "marks", marks=marks + ((me, mark),))
    elif step == 5:
        yield to(6, "lists sessions", waits=sessions)
    elif step == 6:
        open_ones = waits & sessions
        if not open_ones:
            yield to(7, "has waited")
        for one in sorted(open_ones):
            if any(name == one for name, *_ in generations):
                yield to(6, f"sees the end of {one}", sessions=sessions - {one})
            else:
                fence = generations | {(one, "fence", "")}
                yield to(6, f"fences {one}", sessions=sessions - {one}, generations=fence)
    elif step == 7:
        yield to(8, "reads marks again", others=condemned(marks))
    elif step == 8:
        yield to(9, "lists packs again", there=frozenset(pack for pack in packs if pack[0] in index))
    elif step == 9:
        yield to(10, "reads manifests again", alive=references(generations))
    elif step == 10:
        good = [pack for pack in there if pack[0] not in others]
        lacking = [one for one in alive if not is_there(*one, good, rule)]
        doomed = frozenset(
            name for name, held, files in there if name in mark
            and not any(held == bundle or held != "B" and file in files for bundle, file in lacking))
        if doomed:
            yield to(11, "decides to delete " + ", ".join(sorted(doomed)), mark=doomed)
        else:
            yield to(0, "keeps all")
    elif step == 11:
        yield to(12, "removes index entries", index=index - mark)
    elif step == 12:
        yield to(13, "deletes packs", packs=frozenset(pack for pack in packs if pack[0] not in mark))
    elif step == 13:
        yield to(0, "removes its mark", marks=tuple(one for one in marks if one[0] != me))


def run(writer_rule, sweep_rule, trust, writers, collections):
    return search(
        start(writers, collections), lambda state: steps(state, writer_rule, sweep_rule, trust), is_wrong)


def main():
    right = []
    for writer_rule, sweep_rule in product(("file", "bundle"), repeat=2):
        safe = writer_rule == sweep_rule == "file"
        name = f"a writer decides for each {writer_rule}, a sweep for each {sweep_rule}"
        right.append(judge(name, safe, run(writer_rule, sweep_rule, "no", 1, 2)))
    for trust, safe in (("sound", True), ("segments", False)):
        name = f"a writer trusts its parent by the rule: {trust}"
        right.append(judge(name, safe, run("file", "file", trust, 1, 2)))
    right.append(judge("two writers, two collections one after the other", True, run("file", "file", "sound", 2, 2)))
    sys.exit(not all(right))


main()
