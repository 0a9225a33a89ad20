"""Old names, which work for one release: each says in a warning what it is called now."""

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, MappingProxyType, ModuleType
from typing import Any

# Modules that have moved, by package: where what they held is now.
_MOVED: Mapping[str, Mapping[str, str]] = {
    "arena_breaker_gym": {
        "arenas": "batch.arenas",
        "buffer_pool": "_runtime.pools",
        "compiled": "_runtime.jit",
        "cli.skins": "cli.game_files",
        "cli.stages": "cli.game_files",
        "distillation.quiet_student": "distillation.pretraining",
        "doctor.doctor": "doctor",
        "engine.enemy_shots": "engine.shots",
        "engine.player_damage": "engine.damage",
        "engine.roster.stats": "engine.roster",
        "extras": "_runtime.extras",
        "files": "_runtime.files",
        "keys": "batch.seeding",
        "mcp_server.tools": "mcp_server.server",
        "observation": "batch.observation",
        "rendering.skin": "rendering.skins",
        "rendering.view": "rendering.renderer",
        "report.deaths": "report.writing",
        "report.runs": "report.report",
        "report.markdown": "report.table",
        "rollout.encoder": "rollout.video",
        "rollout.engines": "rollout.backends",
        "rollout.engines.ray_engine": "rollout.backends.ray_backend",
        "rollout.game": "rollout.batch",
        "rollout.inline": "rollout.video",
        "rollout.latency": "rollout.episode",
        "rollout.layers": "rollout.replay",
        "rollout.plan": "rollout.episode",
        "rollout.remote_agent": "rollout.agent",
        "rollout.table": "rollout.results",
        "sb3.checkpoint": "sb3.training",
        "sb3.ppo_config": "sb3.training",
        "snapshot": "batch.snapshot",
        "stages.names": "stages.table",
        "stepping": "batch.stepping",
        "thread_pool": "_runtime.pools",
        "throughput.adapters.calibration": "throughput.adapters.peers",
        "throughput.adapters.stepping": "throughput.adapters.subject",
        "throughput.fresh": "throughput.process",
        "throughput.full_arena": "throughput.adapters.arena_breaker",
        "wrappers.action_noise": "wrappers.actions",
        "wrappers.discrete_actions": "wrappers.actions",
    },
    "arena_breaker_agents": {
        "claude_tutor": "tutors",
        "idle": "baselines",
        "openai_tutor": "tutors",
        "planning": "planner",
        "random": "baselines",
        "tutor.batch_api": "tutor.batches",
        "tutor.claude_doors": "tutor.claude",
        "tutor.estimate": "tutors",
        "tutor.mind": "tutor.llm_client",
        "tutor.tutor_spec": "tutors",
    },
    "nitrogen_adapter": {
        "archive": "checkpoint",
        "data.label_export": "data.label_recorder",
        "data.moments": "data.windows",
        "remote.metrics": "remote.batching",
    },
}
OLD_MODULES: Mapping[str, str] = MappingProxyType(
    {
        f"{package}.{old}": f"{package}.{new}"
        for package, moved in _MOVED.items()
        for old, new in moved.items()
    }
    | {
        "arena_breaker_gym.cli.__main__": "arena_breaker_gym.__main__",
        "arena_breaker_gym.registration": "arena_breaker_gym",
        "nitrogen_adapter.summary": "arena_breaker_gym.cli.nitrogen.info",
    }
)
# What had another name in a module that has moved.
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "arena_breaker_agents.tutor.mind": {
        "Mind": "LLMClient",
        "MindError": "LLMError",
        "Question": "Request",
        "Reply": "Response",
    },
    "arena_breaker_gym.engine.enemy_shots": {
        "RADIUS": "ENEMY_SHOT_RADIUS",
        "RANGE": "ENEMY_SHOT_RANGE",
        "DAMAGE": "ENEMY_SHOT_DAMAGE",
    },
    "arena_breaker_gym.rollout.engines.ray_engine": {"RayEngine": "RayBackend"},
}
_RUN = "import runpy\nrunpy.run_module({!r}, run_name='__main__', alter_sys=True)"


def warn(old: str, new: str) -> None:
    """Warns the caller's caller that a name is old.

    Args:
        old: What was written.
        new: What to write instead.
    """
    warnings.warn(
        f"{old} is now called {new}; the old name goes with the next release.",
        DeprecationWarning,
        stacklevel=3,
    )


def old_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Makes a module's `__getattr__` that knows its old names.

    Args:
        module: The module's own name.
        names: New names by old ones; one with a dot lies in another module.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new = names[name].rpartition(".")
        warn(f"{module}.{name}", names[name])
        return getattr(import_module(place or module), new)

    return find


class _OldModules(MetaPathFinder, Loader):
    """Finds a module by its old name; Python asks it where no file has that name."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        if fullname not in OLD_MODULES:
            return None
        held = any(name.startswith(f"{fullname}.") for name in OLD_MODULES)
        return ModuleSpec(fullname, self, is_package=held)

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, OLD_MODULES[module.__name__]
        warn(old, new)
        renamed = _RENAMED.get(old, {})

        def find(name: str) -> Any:
            if name in renamed:
                warn(f"{old}.{name}", f"{new}.{renamed[name]}")
            return getattr(import_module(new), renamed.get(name, name))

        module.__dict__["__getattr__"] = find

    def get_code(self, fullname: str) -> CodeType:
        """What `python -m` runs under an old name."""
        new = OLD_MODULES[fullname]
        warn(fullname, new)
        return compile(_RUN.format(new), f"<{fullname}>", "exec")


def find_old_modules() -> None:
    """Lets modules be imported by the names that they had before they moved."""
    if not any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        sys.meta_path.append(_OldModules())


def old_keyword(options: dict[str, Any], old: str, new: str, value: Any) -> Any:
    """Takes a keyword's value under its old name, if it came so.

    Args:
        options: Keywords that have no place of their own; the old one is taken out.
        old: The keyword's old name.
        new: Its name.
        value: What was given under the new name.
    """
    if old not in options:
        return value
    warn(old, new)
    return options.pop(old)
