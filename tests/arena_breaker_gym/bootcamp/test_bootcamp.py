"""The article's experiment from end to end, in miniature: everything real, everything small."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_gym._runtime.files import BusyError, GoneError, claimed
from arena_breaker_gym.bootcamp import bootcamp
from arena_breaker_gym.bootcamp.bootcamp import Bootcamp
from arena_breaker_gym.bootcamp.page import bootcamp_report
from arena_breaker_gym.bootcamp.plan import POST_TRAINED, BootcampPlan
from arena_breaker_gym.bootcamp.student import Student, homework, rounds_of_dagger
from arena_breaker_gym.bootcamp.sweep import (
    SweepError,
    SweepRun,
    read_sweep,
    run_sweep,
    sweep_report,
)
from arena_breaker_gym.distillation.collector import Looks
from arena_breaker_gym.distillation.fine_tuning import FineTuningConfig
from arena_breaker_gym.report import write_report
from arena_breaker_gym.rollout import EpisodeStore, rollout
from arena_breaker_gym.rollout.replay import Layers, replay
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import NitroGen, checkpoint, gamepad
from nitrogen_adapter.data.dataset import (
    ChunkSettings,
    EpisodeExamples,
    build_examples,
    kept_starts,
)
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.presets import SHIPPED
from nitrogen_adapter.remote.server import NitroGenServer
from nitrogen_adapter.training.config import TrainingConfig

MINIATURE = {
    "demonstrations": 3,
    "demonstration_steps": 120,
    "evaluations": 3,
    "evaluation_stages": (1,),
    "realtime_evaluations": 2,
    "evaluation_steps": 90,
    "chunks": ChunkSettings(stride=10),
}

PLAN = BootcampPlan.for_student("tiny", seed=0, **MINIATURE)


def ignore(words, share):
    pass


@pytest.fixture(scope="module")
def camp(tmp_path_factory):
    camp = Bootcamp(PLAN, tmp_path_factory.mktemp("camp"))
    reports = []
    results = camp.run(lambda words, share: reports.append((words, share)))
    return camp, results, reports


def waited_for(rows):
    """The rows of games that wait, which are the same every time."""
    return [row for row in rows if row["latency"] is None]


def test_it_gives_the_articles_table(camp):
    _, results, _ = camp
    waited = waited_for(results.rows)
    rows = [(row["agent"], row["point_blank_fix"], row["episodes"]) for row in waited]
    agents = ("zero-shot", "post-trained", "tutor")
    assert rows == [(agent, fix, 3) for agent in agents for fix in (False, True)]
    for row in results.rows:
        for metric in ("kills", "score", "aim_magnitude", "first_wave_cleared"):
            assert row[metric]["low"] <= row[metric]["mean"] <= row[metric]["high"]


def test_the_last_row_is_of_the_student_in_real_time(camp, tmp_path):
    made, results, _ = camp
    *others, row = results.rows
    assert others == waited_for(results.rows)
    assert (row["agent"], row["point_blank_fix"], row["episodes"]) == ("post-trained", True, 2)
    assert row["latency"] == "measured"
    assert row["looks"]["low"] >= 1
    again = shutil.copytree(made.out, tmp_path / "again")
    (again / "plan.json").unlink()
    without = Bootcamp(replace(PLAN, realtime_evaluations=0), again).run(ignore)
    assert without.rows == others


def test_results_demonstrations_and_video_lie_in_the_folder(camp):
    made, results, _ = camp
    written = json.loads((made.out / "results.json").read_text())
    assert written == json.loads(json.dumps(results.to_dict()))
    assert set(written["timings_s"]) >= {"demonstrations", "dataset", "posttrain", "evaluation"}
    demonstrations = list(EpisodeStore(made.out / "demonstrations"))
    assert [episode.stage for episode in demonstrations] == [1, 2, 3]
    assert made.video.stat().st_size > 10_000


PRACTISED = replace(
    PLAN,
    familiar_skin="neon",
    practice=48,
    dagger=2,
    dagger_states=64,
    fine_tuning=0,
    alignment=TrainingConfig.aligning(epochs=2, batch_size=16),
    evaluations=2,
    realtime_evaluations=0,
    films=False,
)


class PlugPulledError(Exception):
    pass


def stopped_at(words, ordinal, folder):
    """Runs the bootcamp with practice until it says `words` for that time."""
    seen = itertools.count(1)

    def pull(said, share):
        if said.startswith(words) and next(seen) == ordinal:
            raise PlugPulledError

    with pytest.raises(PlugPulledError):
        Bootcamp(PRACTISED, folder, save_every=0.0).run(pull)


def test_stopped_while_it_practises_or_sees_it_ends_with_the_same_student(tmp_path):
    shares = []
    whole = Bootcamp(PRACTISED, tmp_path / "whole")
    results = whole.run(lambda words, share: shares.append(share))
    assert shares == sorted(shares)
    folder = tmp_path / "stopped"
    stopped_at("The student practises", 1, folder)
    stopped_at("post-trained learns", 3, folder)
    stopped_at("DAgger, round", 3, folder)
    stopped_at("DAgger is measured", 2, folder)
    again = Bootcamp(PRACTISED, folder)
    rows = again.run(ignore).rows
    # In DAgger its games are not kept: it goes on from where it was, with others.
    alike = [place for place, row in enumerate(rows) if row["agent"] != "DAgger"]
    assert [rows[place] for place in alike] == [results.rows[place] for place in alike]
    for name in PRACTISED.trainings():
        models = [camp.student.trained(name) for camp in (whole, again)]
        assert len({model.read_bytes() for model in models}) == 1


def test_a_round_of_dagger_adds_its_states_and_only_who_can_tell_more_than_actions_does():
    plan = replace(PRACTISED, dagger=4, dagger_states=640)
    told, untold = (rounds_of_dagger(plan, tutor) for tutor in (ExpertAgent(), RandomAgent()))
    assert told.looks_a_round * told.collector.arenas == 640 and told.skins == (plan.skin,)
    assert told.training.steps == 4 * told.steps_a_round == 4 * 3 * 640 / 128
    assert told.training.teacher_weight > untold.training.teacher_weight == 0.0


def test_a_second_bootcamp_in_one_folder_is_refused_and_a_deleted_folder_is_said(tmp_path):
    first, second = (Bootcamp(PRACTISED, tmp_path / "camp") for _ in range(2))

    def meddle(words, share):
        if not first.out.exists():
            return
        with pytest.raises(BusyError, match="Another run is writing into"):
            second.run(ignore)
        if words == "The student practises":
            shutil.rmtree(tmp_path / "camp")

    with pytest.raises(GoneError, match="was deleted or moved while the run was going on"):
        first.run(meddle)
    assert not (tmp_path / "camp").exists()


def test_progress_rises_to_one(camp):
    shares = [share for _, share in camp[2]]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_progress_does_not_fall_from_one_stage_to_the_next(tmp_path):
    shares = []
    plan = replace(PLAN, evaluation_stages=(1, 2), realtime_evaluations=0, films=False)
    Bootcamp(plan, tmp_path).run(lambda words, share: shares.append(share))
    assert shares == sorted(shares)


def test_a_second_run_does_nothing_again_and_says_the_same(camp):
    made, results, _ = camp
    before = {file: file.stat().st_mtime_ns for file in made.out.rglob("*.npz")}
    again = Bootcamp(PLAN, made.out).run(ignore)
    assert again.rows == results.rows
    assert {file: file.stat().st_mtime_ns for file in made.out.rglob("*.npz")} == before


def test_rows_and_films_that_several_processes_make_are_the_same(camp, tmp_path, monkeypatch):
    made, results, _ = camp
    again = shutil.copytree(made.out, tmp_path / "again")
    for part in (again / "evaluation" / "bug", again / "evaluation" / "fix"):
        shutil.rmtree(part)
    (again / made.video.name).unlink()
    monkeypatch.setattr(bootcamp, "_MANY", 1)
    torch.set_num_threads(2)
    said = []
    rows = Bootcamp(PLAN, again).run(lambda words, share: said.append((words, share))).rows
    assert waited_for(rows) == waited_for(results.rows)
    played = [*again.glob("evaluation/bug/**/*.npz"), *again.glob("evaluation/fix/**/*.npz")]
    assert len(played) == len(waited_for(rows)) * PLAN.evaluations
    for file in played:
        assert file.read_bytes() == (made.out / file.relative_to(again)).read_bytes()
    assert {"All are measured", "The videos are made"} <= {words for words, _ in said}
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert (again / made.video.name).read_bytes() == made.video.read_bytes()


def test_a_folder_of_another_plan_is_refused_in_one_sentence(camp):
    with pytest.raises(ValueError, match="holds a bootcamp with another evaluations") as refusal:
        Bootcamp(replace(PLAN, evaluations=4), camp[0].out)
    assert "\n" not in str(refusal.value)


COMMAND = """
import sys
from pathlib import Path
from arena_breaker_gym.bootcamp.bootcamp import Bootcamp
from tests.arena_breaker_gym.bootcamp.test_bootcamp import PLAN
camp = Bootcamp(PLAN, Path(sys.argv[1]), save_every=0.05)
camp.run(lambda words, share: print(words, share, flush=True))
"""


def kill_at(words, ordinal, folder):
    """Runs the bootcamp and kills it when it says `words` for that time."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        said = (line for line in process.stdout if line.startswith(words))
        assert next(itertools.islice(said, ordinal - 1, None), None), "it ended before"
        os.kill(process.pid, signal.SIGKILL)


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_table(camp, tmp_path):
    _, results, _ = camp
    folder = tmp_path / "killed"
    kill_at("The tutor plays", 20, folder)
    kill_at("post-trained learns", 10, folder)
    kill_at("post-trained is measured", 30, folder)
    resumed = Bootcamp(PLAN, folder).run(ignore)
    assert waited_for(resumed.rows) == waited_for(results.rows)
    assert len(resumed.rows) == len(results.rows)


def test_examples_are_the_frames_and_the_next_actions_of_the_episodes():
    (episode,) = rollout(RandomAgent(), episodes=1, seed=4, max_steps=100)
    settings = ChunkSettings(stride=7, action_shift=2)
    examples, statistics = build_examples([episode], settings)
    starts = kept_starts(episode.actions, settings)
    frames = list(replay(episode))
    assert len(examples) == len(starts) == statistics.kept
    for row, start in enumerate(starts):
        assert np.array_equal(examples.inputs[row], frames[start])
        chunk = episode.actions[start + 2 : start + 2 + 18]
        assert np.allclose(examples.actions[row], gamepad.pack(chunk))


def test_homework_tells_what_the_tutor_thought_of_each_frame():
    tutor = ExpertAgent()
    episodes = rollout(tutor, episodes=2, seed=4, stage=(1, 2), max_steps=60)
    plan = replace(PLAN, tutor="expert", posttrain=TrainingConfig.adapting())
    examples, balance = homework(episodes, plan, NitroGen.preset("tiny").eval())
    assert len(examples) == balance.kept == len(examples.teacher.aim)
    # It fires where it said that it aims: the first action of a chunk that begins with a decision.
    starts = kept_starts(episodes[0].actions, plan.chunks)
    decided = [row for row, start in enumerate(starts) if start % 3 == 0]
    aims = examples.teacher.aim[: len(starts)][decided]
    assert np.allclose(aims, episodes[0].actions[starts][decided, 2:4], atol=1e-6)
    silent = replace(plan, tutor="scripted")
    assert homework(episodes, silent, NitroGen.preset("tiny").eval())[0].teacher is None


def test_idle_chunks_are_left_out():
    actions = np.zeros((100, 5), np.float32)
    actions[40:60, 2] = 0.2  # beyond the idle threshold of 0.1
    settings = ChunkSettings()
    starts = kept_starts(actions, settings)
    assert starts.min() == 40 - 9 and starts.max() == 60 - 9
    actions[:, 2] = 0.05
    assert len(kept_starts(actions, settings)) == 0
    actions[:, 4] = 1.0
    assert len(kept_starts(actions, settings)) == 100 - 18 + 1


def test_nothing_to_learn_from_is_said_in_one_sentence():
    (episode,) = rollout(RandomAgent(), episodes=1, max_steps=10)
    with pytest.raises(ValueError, match="no chunk of 18 actions"):
        build_examples([episode], ChunkSettings())


def test_a_checkpoint_is_trained_the_published_way(tmp_path):
    before = tmp_path / "base.pt"
    checkpoint.save(before, NitroGen.preset("tiny", seed=5))
    terms = {**MINIATURE, "realtime_evaluations": 0, "films": False}
    plan = BootcampPlan.for_student(str(before), seed=0, max_seconds=None, **terms)
    assert plan.posttrain.split == "action_head"
    made = Bootcamp(plan, tmp_path / "camp")
    results = made.run(ignore)
    agents = {row["agent"] for row in results.rows}
    assert agents == {"zero-shot", "post-trained", "tutor"}
    after = made.student.trained(POST_TRAINED)
    weights = [checkpoint.load(path).state_dict() for path in (before, after)]

    changed = {name for name, old in weights[0].items() if not torch.equal(old, weights[1][name])}
    assert changed
    assert not any(name.startswith(("vision_encoder", "vl_self")) for name in changed)


def test_a_student_on_a_server_is_measured_and_not_trained(tmp_path):
    predictor = LocalPredictor(NitroGen.preset("tiny", seed=5))
    with NitroGenServer(predictor, port=0).start() as server:
        plan = BootcampPlan.for_student(server.address, seed=0, max_seconds=None, **MINIATURE)
        results = Bootcamp(plan, tmp_path / "camp").run(ignore)
    rows = [(row["agent"], row["latency"]) for row in results.rows]
    assert rows == [
        ("zero-shot", None),
        ("zero-shot", None),
        ("tutor", None),
        ("tutor", None),
        ("zero-shot", "measured"),
    ]
    assert (tmp_path / "camp" / "side_by_side.mp4").stat().st_size > 1000
    assert not (tmp_path / "camp" / "training").exists()


def test_a_student_that_there_is_not_is_refused_before_anything_is_written(tmp_path):
    said = r"no model 'missing\.pt'; expected one of base, student"
    with pytest.raises(ValueError, match=said):
        BootcampPlan.for_student("missing.pt", seed=0)
    with pytest.raises(ValueError, match=said):
        Bootcamp(replace(PLAN, student="missing.pt"), tmp_path / "camp")
    assert not (tmp_path / "camp").exists()


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"skin": "nope"}, "no skin 'nope'"),
        ({"familiar_skin": "noen"}, "did you mean 'neon'"),
        ({"tutor": "nobody"}, "nobody"),
    ],
)
def test_who_or_what_there_is_not_is_refused_before_anything_is_written(tmp_path, named, said):
    with pytest.raises(ValueError, match=said):
        Bootcamp(replace(PLAN, **named), tmp_path / "camp")
    assert not (tmp_path / "camp").exists()


def test_its_page_answers_the_articles_questions(camp, tmp_path):
    made, results, _ = camp
    report = bootcamp_report(made, results, command="arena-breaker bootcamp")
    page = write_report(report, tmp_path / "report.html").read_text()
    assert "In looks that it has never seen the student kills" in page
    assert "The same weights kill" in page
    assert {"zero-shot", "post-trained, bug", "tutor"} <= set(report.episodes)
    assert [line.name for line in report.curves[0].lines] == ["post-trained"]
    assert page.count("<video") == 2


def test_the_shipped_base_adapts_frozen_and_whole_and_by_dagger(tmp_path, monkeypatch):
    terms = {**MINIATURE, "realtime_evaluations": 0, "films": False}
    terms |= {"evaluations": 2, "evaluation_steps": 30}
    terms |= {"practice": 48, "dagger": 2, "dagger_states": 32, "fine_tuning": 1}
    few = partial(FineTuningConfig, arenas=4, looks=6, batch_size=12)
    monkeypatch.setattr(bootcamp, "FineTuningConfig", few)
    plan = BootcampPlan.for_student("base", seed=0, **terms)
    plan = replace(
        plan,
        posttrain=replace(plan.posttrain, epochs=1),
        distillation=replace(plan.distillation, batch_size=16),
    )
    made = Bootcamp(plan, tmp_path / "camp")
    results = made.run(ignore)
    names = list(dict.fromkeys(row["agent"] for row in results.rows))
    assert names == [
        "zero-shot",
        "post-trained",
        "post-trained, encoder frozen",
        "DAgger",
        "PPO",
        "tutor",
    ]
    gains = [(row["agent"], row["stage"]) for row in results.rows if "gained_by_fix" in row]
    assert gains == [(name, 1) for name in names[1:-1]]
    base = made.student.fresh().state_dict()
    changed = {
        name: {
            key.split(".")[0]
            for key, value in checkpoint.load(made.student.trained(name)).state_dict().items()
            if not torch.equal(value, base[key])
        }
        for name in names[1:3]
    }
    assert "vision_encoder" in changed["post-trained"]
    assert "vision_encoder" not in changed["post-trained, encoder frozen"]
    reports = {
        name: json.loads((folder / "report.json").read_text())
        for name, folder in made.training_folders().items()
    }
    assert reports["PPO"]["updates"] == 1
    shown = reports["post-trained, encoder frozen"]["examples"]
    assert reports["post-trained"]["examples"] == 48 + shown
    assert reports["DAgger"]["examples"] == 2 * 3 * 32  # 2 rounds, each state three times
    before, after = (made.student.trained(name) for name in ("post-trained", "DAgger"))
    moved = checkpoint.load(after).state_dict()
    assert any(
        not torch.equal(v, moved[k]) for k, v in checkpoint.load(before).state_dict().items()
    )


def test_the_base_learns_to_act_from_a_tutor_whose_play_it_does_not_know():
    plans = {
        tutor: BootcampPlan.for_student("base", seed=3, tutor=tutor)
        for tutor in ("expert", "scripted")
    }
    assert plans["expert"].sees_first and not plans["scripted"].sees_first
    trainings = {tutor: plan.trainings()["post-trained"] for tutor, plan in plans.items()}
    assert [one.action_weight for one in trainings.values()] == [0.0, 1.0]
    assert [one.split for one in trainings.values()] == ["vision_encoder", "all"]
    assert {one.seed for one in trainings.values()} == {3}
    assert not BootcampPlan.for_student("base", seed=0, familiar_skin=None).sees_first


def test_a_base_of_your_own_is_taught_and_plays_as_the_shipped_one_does(tmp_path):
    own = tmp_path / "own.safetensors"
    checkpoint.save(own, checkpoint.load(SHIPPED["base"]))
    plan = BootcampPlan.for_student(str(own), seed=0)
    assert plan == replace(BootcampPlan.for_student("base", seed=0), student=str(own))
    students = [Student(source, tmp_path, seed=0) for source in ("base", str(own))]
    shipped, its = (
        rollout(
            one.agent("base", trained=False, n_action_steps=3),
            episodes=1,
            env=Settings(pixel_size=one.frame_size),
            max_steps=60,
        )[0]
        for one in students
    )
    np.testing.assert_array_equal(its.actions, shipped.actions)


class NotedPredictor(LocalPredictor):
    """Keeps the frames that it was shown."""

    seen = ()

    def predict(self, frames, sessions):
        self.seen = [*self.seen, *frames]
        return super().predict(frames, sessions)


def test_who_is_to_see_the_hud_plays_and_learns_from_what_people_see():
    predictor = NotedPredictor(NitroGen.preset("tiny"))
    agent = NitroGenPolicy(predictor, n_action_steps=9, hud=True)
    (episode,) = rollout(agent, episodes=1, max_steps=36, env=Settings(pixel_size=96))
    shown = np.stack([*replay(episode, layers=Layers(hud=True))])
    np.testing.assert_array_equal(predictor.seen, shown[0:36:9])
    chunks = ChunkSettings(stride=9, busy_share=0.0)
    examples = EpisodeExamples([episode], chunks, size=96, hud=True)
    np.testing.assert_array_equal(examples.collect().inputs, shown[0:19:9])
    looks = Looks(Settings(pixel_size=96), ["default"], hud=True)
    (records,) = examples.records()
    np.testing.assert_array_equal(looks.draw_all(records), shown[0:19:9])


def test_a_bootcamp_with_the_hud_shows_it_in_dagger_and_refuses_ppo(tmp_path):
    plan = replace(PRACTISED, hud=True)
    assert rounds_of_dagger(plan, ExpertAgent()).hud
    Bootcamp(plan, tmp_path)
    note = tmp_path / "plan.json"
    assert json.loads(note.read_text())["hud"] is True
    older = {key: value for key, value in json.loads(note.read_text()).items() if key != "hud"}
    note.write_text(json.dumps(older))  # of a time when there was no choice
    Bootcamp(PRACTISED, tmp_path)
    with pytest.raises(ValueError, match="another hud: false, not true"):
        Bootcamp(plan, tmp_path)
    with pytest.raises(ValueError, match="PPO knows no HUD"):
        replace(plan, fine_tuning=1)


SWEEP = """
seeds = [0, 1]

[plan]
student = "tiny"
demonstration_steps = 90
evaluations = 2
evaluation_stages = [1]
evaluation_steps = 60
films = false
chunks = { stride = 10 }
posttrain = { epochs = 1 }

[runs.one]
demonstrations = 1

[runs.two]
demonstrations = 2
"""


def test_a_sweep_gives_a_row_for_every_run_and_seed_and_draws_what_differs(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP)
    runs = read_sweep(file)
    assert [(run.name, run.plan.seed, run.plan.demonstrations) for run in runs] == [
        ("one", 0, 1),
        ("one", 1, 1),
        ("two", 0, 2),
        ("two", 1, 2),
    ]
    assert all(run.plan.posttrain.epochs == 1 for run in runs)
    results = run_sweep(runs[::2], tmp_path / "out", ignore)
    kinds = {(row["run"], row["seed"], row["agent"]) for row in results.rows}
    assert kinds == {
        (run, 0, agent)
        for run in ("one", "two")
        for agent in ("zero-shot", "post-trained", "tutor")
    }
    (curve,) = sweep_report(results).curves
    assert curve.x_label == "demonstrations" and list(curve.lines[0].x) == [1, 2]
    assert run_sweep(runs[::2], tmp_path / "out", ignore).rows == results.rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[runs]", "expected a table for each run"),
        ("[runs.a]\ndemonstration = 3", "a plan has no entry 'demonstration'; "),
        ("[runs.a]\nposttrain = { epochs = 0 }", "run 'a': epochs is 0; expected at least 1"),
        ("[runs.a]\nstudent = 'gone.pt'\n[run]", "there is no 'run'; "),
        ("runs = [", "is no TOML file"),
        ("[runs.a]\nevaluations = '3'", "evaluations must be a whole number of at least 1"),
        ("[runs.a]\nevaluation_stages = 'all'", "evaluation_stages is 'all'; expected a list"),
        ("runs.a = true", "runs.a is True; expected a table"),
        ("plan = [1]\n[runs.a]", "plan is [1]; expected a table"),
        ("[runs.a]\nchunks = 3", "runs.a.chunks is 3; expected a table"),
        ("[plan]\nposttrain = []\n[runs.a]", "plan.posttrain is []; expected a table"),
        ("seeds = [-1]\n[runs.a]", "seeds is [-1]; expected a list of whole numbers"),
        ("seeds = 3\n[runs.a]", "seeds is 3; expected a list of whole numbers"),
        ("seeds = []\n[runs.a]", "seeds is []; expected a list of whole numbers"),
        ("seeds = [1, 1]\n[runs.a]", "2 runs would lie in the folder 'a-seed1'"),
        ("[runs.'a b']\n[runs.a_b]", "2 runs would lie in the folder 'a_b-seed0'"),
        (f"[runs.a]\nskin = {'[' * 9000}", "is no TOML file: it is nested too deeply"),
        (f"seeds = [{'9' * 5000}]\n[runs.a]", "is no TOML file: Exceeds the limit"),
        (f"# {'x' * 2**20}\n[runs.a]", "larger than 1048576 bytes"),
        (f"[runs.{'x' * 900}]", "expected a name of a folder's length"),
        ("[runs.a]\nstudent = 5", "student is 5; expected a text"),
        ("[runs.a]\ntutor = 5", "tutor is 5; expected a text"),
        ("[runs.a]\nfamiliar_skin = 3", "familiar_skin is 3; expected a text or nothing"),
        ("[runs.a]\ncontrol = 'yes'", "control is 'yes'; expected true or false"),
        ("[runs.a]\nn_action_steps = 19", "n_action_steps must be a whole number from 1 to 18"),
        ("[runs.a]\nevaluation_stages = [9]", "must be a whole number from 1 to 3, got 9"),
        ("[runs.a]\nchunks = {stride = 'x'}", "stride is 'x'; expected a whole number"),
        ("[runs.a]\nchunks = {strid = 1}", "chunks has no entry 'strid'; did you mean 'stride'"),
        ("[runs.a]\nposttrain = {weights = 3}", "weights is 3; expected a table"),
        ("[runs.a]\nposttrain = {augment = {hue = 1}}", "expected Augmentation"),
        ("[runs.a]\nposttrain = {batch_size = 2.5}", "batch_size is 2.5; expected a whole number"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused_in_one_sentence(tmp_path, text, said):
    file = tmp_path / "sweep.toml"
    file.write_text(text)
    with pytest.raises(SweepError) as refusal:
        read_sweep(file)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_a_sweep_file_that_is_no_plain_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", tmp_path):
        with pytest.raises(SweepError, match="it is no plain file"):
            read_sweep(path)


def test_a_sweep_of_what_there_is_not_is_refused_before_its_first_run(tmp_path):
    plans = {"one": PLAN, "two": replace(PLAN, student="gone.pt")}
    runs = [SweepRun(name, {}, plan) for name, plan in plans.items()]
    with pytest.raises(ValueError, match=r"no model 'gone\.pt'"):
        run_sweep(runs, tmp_path / "out", ignore)
    assert not (tmp_path / "out").exists()


def test_a_second_sweep_in_one_folder_is_refused(tmp_path):
    with claimed(tmp_path), pytest.raises(BusyError, match="Another run is writing into"):
        run_sweep([SweepRun("one", {}, PLAN)], tmp_path, ignore)
