"""`rules_for`: what a client is told of the game, with the engine's own figures."""

from arena_breaker_gym.engine import hazards, player, shots, waves
from arena_breaker_gym.engine.arena import TICK, TICKS_PER_SECOND
from arena_breaker_gym.engine.player_damage import GRACE
from arena_breaker_gym.engine.roster import stats
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import load_campaign
from arena_breaker_gym.stages.names import ENEMY_TYPES

_HABITS = {
    "swarmer": "runs at you; a crowd comes from all sides",
    "shooter": "keeps 5 to 7 m away, fires aimed shots",
    "charger": "winds up, then charges fast in a line; a wall stuns it",
    "splitter": "on death becomes three swarmers",
    "bomber": "lights a fuse near you; its blast hurts you and its friends; shoot it before",
    "sentinel": "slow; rings of shots and aimed triples",
}


def rules_for(settings: Settings) -> str:
    """The rules and how to play, for people and models alike.

    Args:
        settings: The game's settings.

    Raises:
        StageError: If a stage's file is refused.
    """
    models = load_campaign(settings.stages).models
    sizes = ", ".join(
        f"{number}: {model.size.width:g} x {model.size.depth:g}"
        for number, model in enumerate(models, start=1)
    )
    enemies = "\n".join(f"- {_enemy(code)}" for code in range(1, len(ENEMY_TYPES)))
    return f"""\
Arena Breaker is a twin-stick survival arena. The game stands still between your calls. \
start_episode begins an episode and gives its name, act plays some steps of \
{settings.frame_skip / TICKS_PER_SECOND:.3g} s, get_snapshot and get_frame look, end_episode \
gives up.

Units: metres, seconds. x points right, z towards the viewer (down in the picture). The arena's \
middle is 0, 0; sizes in x and z by stage: {sizes}. Snapshots give the player's place, and \
enemies, enemy projectiles and hazards by dx, dz from the player, nearest first.

Player: {player.HP} hp, radius {player.RADIUS:g}, {player.SPEED:g} m/s along the move stick. Aim \
at dx, dz by an aim stick of that direction: while it is at least {player.FIRE_THRESHOLD:g} long \
the gun fires by itself, a shot every {shots.RELOAD * TICK:.2g} s, {shots.SPEED:g} m/s, range \
{shots.RANGE:g}, damage {shots.DAMAGE}. Walls and pillars stop shots. A dash along the move stick \
({player.DASH_SPEED:g} m/s for {player.DASH_TICKS * TICK:.2g} s, unhurt meanwhile) is ready again \
after {player.DASH_COOLDOWN * TICK:.2g} s. After a hit nothing hurts for {GRACE * TICK:.2g} s.

Score: {waves.WAVE_SCORE} for each wave begun and each killed enemy's value. A cleared stage \
gives {waves.STAGE_HEAL} hp back; clearing the last is victory, no hp is defeat.

Enemies; touching one costs hp:
{enemies}
Hazards: saws travel along a track, spikes hurt while active; each costs {hazards.DAMAGE} hp.\
"""


def _enemy(code: int) -> str:
    name = ENEMY_TYPES[code]
    return (
        f"{name}: {stats.HP[code]} hp, radius {stats.RADIUS[code]:g}, {stats.SPEED[code]:g} m/s, "
        f"value {stats.VALUE[code]}; {_HABITS[name]}"
    )
