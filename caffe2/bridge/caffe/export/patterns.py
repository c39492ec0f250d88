"""How groups of operators that one layer of Caffe computes are found: patterns of operators over blobs."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from caffe2.bridge.caffe.export.draft import Draft
from caffe2.bridge.caffe.export.site import Refusal, Site

Writer = Callable[["Match", Draft], None]


@dataclass
class Match:
    """The operators of a group by their place in the pattern's text, and the blobs by the pattern's names."""

    root: Site
    blobs: dict[str, str] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)

    def site(self, kind: str, k: int = 0) -> Site:
        """The k-th operator of a type, inner ones first."""
        return [s for s in self.sites if s.type == kind][k]


PATTERNS: list[tuple[ast.expr, Writer]] = []


def pattern(text: str) -> Callable[[Writer], Writer]:
    """Register the function below for groups like `Mul(x, Sigmoid(x))`: one name is one blob, `(y := F(x))` names one.

    Every operator but the outer one must be read within the group alone. The function may raise Refusal: then the
    operators are written one by one.
    """

    def attach(function: Writer) -> Writer:
        PATTERNS.append((ast.parse(text, mode="eval").body, function))
        return function

    return attach


def absorb(draft: Draft) -> None:
    """Find the groups of a net; what each becomes is written when its last operator is reached."""
    larger_first = sorted(PATTERNS, key=lambda p: -len(list(ast.walk(p[0]))))
    for site in reversed(draft.program.sites):
        if site.index in draft.done or not site.after:
            continue
        for tree, writer in larger_first:
            match = Match(site)
            if _matches(tree, site, match, draft) and _closed(match, draft) and _fits(match, writer, draft):
                draft.done.update(s.index for s in match.sites if s is not site)
                draft.groups[site.index] = lambda m=match, w=writer: w(m, draft)
                break


def _fits(match: Match, writer: Writer, draft: Draft) -> bool:
    """Whether the writer takes the group: it is tried, and what it wrote taken back."""
    with draft.trial():
        try:
            writer(match, draft)
        except Refusal:
            return False
    return True


def _matches(tree: ast.expr, site: Site | None, match: Match, draft: Draft) -> bool:
    if not isinstance(tree, ast.Call) or site is None or site.type != tree.func.id:
        return False
    if len(site.inputs) != len(tree.args) or site in match.sites:
        return False
    if not all(_bound(each, name, match, draft) for each, name in zip(tree.args, site.inputs)):
        return False
    match.sites.append(site)
    return True


def _bound(tree: ast.expr, name: str, match: Match, draft: Draft) -> bool:
    if isinstance(tree, ast.NamedExpr):
        return _bound(tree.value, name, match, draft) and _bound(tree.target, name, match, draft)
    if isinstance(tree, ast.Name):
        return match.blobs.setdefault(tree.id, name) == name
    return _matches(tree, draft.program.writers.get(name), match, draft)


def _closed(match: Match, draft: Draft) -> bool:
    """Whether what the inner operators give is read within the group alone."""
    inside = {s.index for s in match.sites}
    for s in match.sites:
        for name in s.outputs if s is not match.root else ():
            if name in draft.program.outputs or any(r.index not in inside for r in draft.program.readers[name]):
                return False
    return True


def number(draft: Draft, name: str) -> float:
    """The value of a constant of one number. Raises Refusal for others."""
    array = draft.constant(name)
    if array is None or array.size != 1:
        raise Refusal(f"{name!r} is no constant number")
    return float(array.ravel()[0])


def demand(condition: bool) -> None:
    """Raises Refusal unless a group is what the layer computes."""
    if not condition:
        raise Refusal("the group is no layer")
