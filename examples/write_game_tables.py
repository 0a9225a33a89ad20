"""Writes the tables of `docs/game.md` from the engine's own figures.

Run `python examples/write_game_tables.py` from the repository's root after a change of the rules.
Each table stands between `<!-- table: NAME -->` and `<!-- end -->`; the rest of the page is left
as it is.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from arena_breaker_gym.engine import player, roster, shots, waves
from arena_breaker_gym.engine.arena import TICK
from arena_breaker_gym.engine.damage import GRACE
from arena_breaker_gym.engine.roster import bomber, charger, sentinel, shooter, splitter
from arena_breaker_gym.stages.table import ENEMY_TYPES

PAGE = Path(__file__).parents[1] / "docs/game.md"
_NUMBERS = ("no", "one", "two", "three", "four", "five")


def seconds(ticks: int) -> str:
    """Ticks as seconds with their decimals: 0.35, 2.5, 1.0."""
    return f"{ticks * TICK:.2f}".removesuffix("0")


def player_table() -> str:
    """The player's figures and the file that each comes from."""
    fix = player.FIRE_THRESHOLD
    dash = f"{player.DASH_SPEED:g} m/s for {seconds(player.DASH_TICKS)} s along the move stick"
    shot = (
        f"every {shots.RELOAD} ticks ({shots.RELOAD * TICK:.3f} s), {shots.SPEED:g} m/s, "
        f"damage {shots.DAMAGE}, radius {shots.RADIUS:g} m, range {shots.RANGE:g} m"
    )
    return _table(
        ("what", "value", "where"),
        [
            (
                "radius, speed, hp",
                f"{player.RADIUS:g} m, {player.SPEED:g} m/s, {player.HP}",
                "`engine/player.py`",
            ),
            ("grace after a hit", f"{seconds(GRACE)} s", "`engine/damage.py`"),
            ("fires while", f"the aim stick is at least {fix:g} long", "`engine/player.py`"),
            ("shot", shot, "`engine/shots.py`"),
            (
                "dash",
                f"{dash}, invulnerable; again after {seconds(player.DASH_COOLDOWN)} s",
                "`engine/player.py`",
            ),
            (
                "score",
                f"{waves.WAVE_SCORE} for each wave begun, and each killed enemy's value",
                "`engine/waves.py`",
            ),
            ("a cleared stage gives back", f"{waves.STAGE_HEAL} hp", "`engine/waves.py`"),
        ],
    )


def habits() -> Mapping[str, str]:
    """What each enemy does, with the engine's figures."""
    return {
        "swarmer": "runs at the player; a crowd comes from all sides",
        "shooter": (
            f"keeps {shooter.NEAREST:g} to {shooter.FARTHEST:g} m away, telegraphs "
            f"{seconds(shooter.TELEGRAPH_TICKS)} s, an aimed shot at {shooter.SHOT_SPEED:g} m/s "
            f"every {seconds(shooter.RELOAD)} s"
        ),
        "charger": (
            f"winds up {seconds(charger.WIND_UP_TICKS)} s in sight, charges at "
            f"{charger.CHARGE_SPEED:g} m/s for {seconds(charger.CHARGE_TICKS)} s, stunned "
            f"{seconds(charger.STUNNED_TICKS)} s by a wall"
        ),
        "splitter": f"on death becomes {_NUMBERS[len(splitter.BROOD)]} swarmers",
        "bomber": (
            f"lights a {seconds(bomber.FUSE_TICKS)} s fuse within {bomber.TRIGGER:g} m; blast "
            f"radius {bomber.BLAST_RADIUS:g} m, damage {bomber.BLAST_DAMAGE}, also to enemies"
        ),
        "sentinel": (
            f"a ring of {len(sentinel.DIRECTIONS)} shots every {seconds(sentinel.RING_PERIOD)} s, "
            "aimed triples between"
        ),
    }


def enemy_table() -> str:
    """The six enemies."""
    does = habits()
    return _table(
        ("type", "hp", "radius", "speed", "value", "what it does"),
        [(*enemy_figures(code), does[ENEMY_TYPES[code]]) for code in range(1, len(ENEMY_TYPES))],
    )


def enemy_figures(code: int) -> tuple[str, ...]:
    """Type, hp, radius, speed and value of an enemy, as tables have them."""
    return (
        ENEMY_TYPES[code],
        str(roster.HP[code]),
        f"{roster.RADIUS[code]:.2f}",
        f"{roster.SPEED[code]:.1f}",
        str(roster.VALUE[code]),
    )


def enemy_shot_table() -> str:
    """What all enemy shots share."""
    return _table(
        ("enemy shots", "value", "where"),
        [
            (
                "radius, range, damage",
                f"{shots.ENEMY_SHOT_RADIUS:g} m, {shots.ENEMY_SHOT_RANGE:g} m, "
                f"{shots.ENEMY_SHOT_DAMAGE}",
                "`engine/shots.py`",
            ),
            (
                "speed of a ring's, of a triple's",
                f"{sentinel.RING_SPEED:g} m/s, {sentinel.TRIPLE_SPEED:g} m/s",
                "`engine/roster/sentinel.py`",
            ),
        ],
    )


TABLES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"player": player_table, "enemies": enemy_table, "enemy shots": enemy_shot_table}
)


def written(page: str) -> str:
    """A page with every table as the engine has it now.

    Raises:
        ValueError: If a table has no place in it.
    """
    for name, table in TABLES.items():
        start = f"<!-- table: {name} -->\n"
        place = re.compile(re.escape(start) + ".*?<!-- end -->", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"The page has no place for a table: {start.strip()} … <!-- end -->.")
        text = f"{start}{table()}<!-- end -->"
        page = place.sub(lambda _, text=text: text, page)
    return page


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first, *others = (f"| {' | '.join(cells)} |\n" for cells in (heading, *rows))
    return "".join([first, "|---" * len(heading) + "|\n", *others])


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}: {', '.join(TABLES)}\n")
