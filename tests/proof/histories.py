"""What may happen to an account, in any order: the actions of a history, and how Hypothesis makes them up."""

from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st


@dataclass(frozen=True)
class Shown:
    """What an app shows some steps away from now."""

    app: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Again:
    """Digits that were accepted, the last ones first, in another spelling."""

    back: int = 0


@dataclass(frozen=True)
class Wrong:
    """Digits of no step anywhere near."""


@dataclass(frozen=True)
class Written:
    """A backup code that was given out, the newest first, used or not, dead or not."""

    back: int = 0


@dataclass(frozen=True)
class Invented:
    """A backup code of the right form that was given to nobody."""


Offered = Shown | Again | Wrong | Written | Invented
Secret = Literal["fresh", "same", "twins", "cousins"]
"""Of an app: its own, that of the app before it, or one that shows the same digits one step later, or two."""


Browser = int | None
"""Which of the owner's browsers sends it, with the cookie that it was given; none is a stranger, who keeps nothing."""


@dataclass(frozen=True)
class SignIn:
    """Take both steps of a sign-in; with ``challenge``, the code step alone, on the newest but so many."""

    offered: Offered
    challenge: int | None = None
    browser: Browser = None


@dataclass(frozen=True)
class WrongCodes:
    """Wrong codes at sign-in, each on a challenge of its own, and so many seconds before each."""

    count: int
    apart: int = 0
    browser: Browser = None


@dataclass(frozen=True)
class Password:
    """The password step alone, with a wrong password, so many times."""

    count: int = 1
    browser: Browser = None


@dataclass(frozen=True)
class Enrol:
    """Set an app up and confirm it."""

    steps: int = 0
    secret: Secret = "fresh"
    browser: Browser = None


Door = Literal["step_up", "disable", "regenerate", "change_password", "remove"]


@dataclass(frozen=True)
class At:
    """Offer something at a door that is behind a session."""

    door: Door
    offered: Offered
    browser: Browser = None


@dataclass(frozen=True)
class Move:
    """Let the clock go forward, or set it back."""

    seconds: int


Deed = Literal["disable", "enable", "reset", "make_safe", "clean_up", "end_sessions", "end_everything", "not_me"]


@dataclass(frozen=True)
class Operator:
    """What is done on the command line and by the clean-up, and whatever else asks for no code.

    An application may end everything that an account has open; an owner says "this wasn't me".
    """

    does: Deed


Action = SignIn | WrongCodes | Password | Enrol | At | Move | Operator

_STEPS = st.sampled_from([0, 0, 1, 1, -1, -1, 2, -2])
_SECONDS = [30, 30, 30, 1, 15, 29, 31, 60, 60, 90, 120, 299, 300, 600, 3600, 90_000, -30, -60, -120, -3600, 34_560_000]
_DOORS: list[Door] = ["step_up", "step_up", "step_up", "regenerate", "change_password", "remove", "disable"]
_ENDS: list[Deed] = ["end_sessions", "end_everything", "not_me"]
_DONE: list[Deed] = ["disable", "enable", "enable", "reset", "make_safe", "clean_up", "clean_up", *_ENDS]
_SECRETS: list[Secret] = ["fresh", "same", "twins", "cousins"]

_shown = st.builds(Shown, app=st.integers(0, 2), steps=_STEPS)
_offered = st.one_of(
    _shown,
    _shown,
    st.builds(Again, st.integers(0, 3)),
    st.builds(Again, st.integers(0, 3)),
    st.just(Wrong()),
    st.builds(Written, st.integers(0, 11)),
    st.just(Invented()),
)
_browser = st.sampled_from([None, None, None, 0, 0, 1])
_sign_in = st.builds(SignIn, _offered, st.sampled_from([None, None, None, 0, 1, 2]), _browser)
_move = st.builds(Move, st.sampled_from(_SECONDS))

actions = st.one_of(
    _sign_in,
    _sign_in,
    st.builds(SignIn, st.builds(Shown, steps=_STEPS), browser=_browser),
    st.builds(SignIn, st.builds(Again, st.integers(0, 1)), browser=_browser),
    _move,
    _move,
    st.just(Move(30)),
    st.builds(At, st.sampled_from(_DOORS), _offered, _browser),
    st.builds(At, st.sampled_from(_DOORS), _offered, _browser),
    st.builds(Enrol, _STEPS, st.sampled_from(_SECRETS), _browser),
    st.builds(WrongCodes, st.integers(1, 6), browser=_browser),
    st.builds(Password, st.sampled_from([1, 1, 1, 1, 1, 5]), _browser),
    st.builds(Operator, st.sampled_from(_DONE)),
)

_BEGUN: list[list[Action]] = [[Enrol()], [Enrol(), Move(30), SignIn(Shown(), browser=0)]]

histories = st.builds(
    lambda begun, rest: [*begun, *rest], st.sampled_from(_BEGUN), st.lists(actions, min_size=8, max_size=24)
)
"""Each begins with somebody who enrols; half of them then sign in from a browser of theirs."""
