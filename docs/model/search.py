"""Exhaustive search of the states of a protocol, for the models beside it. The search is breadth-first, so that it finds a
wrong state by a shortest path."""

from collections import deque


def search(start, steps, is_wrong, limit=4_000_000):
    """`steps(state)` yields (what is done, next state). Returns the number of states and, if one is wrong, the path to it."""
    came_from = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        if is_wrong(state):
            way = []
            while came_from[state] is not None:
                what, state = came_from[state]
                way.append(what)
            return len(came_from), way[::-1]
        for what, after in steps(state):
            if after not in came_from:
                came_from[after] = (what, state)
                queue.append(after)
        if len(came_from) > limit:
            raise SystemExit(f"more than {limit} states")
    return len(came_from), None


def judge(name, expected_safe, found):
    """Prints the result of a search; returns True if it is the expected one."""
    states, way = found
    safe = way is None
    right = safe == expected_safe
    print(f"{'' if right else 'UNEXPECTED: '}{name}: {'safe' if safe else 'unsafe'}, {states} states")
    if not safe:
        print("    " + " | ".join(way))
    return right
