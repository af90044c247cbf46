"""The nightly job: bags -> t_r -> critics -> advantages -> actor -> signed policy -> robot.

One iteration of ROVE (§3.3) after a day of collection. Every step leaves its result in a folder;
a killed run goes on where it was, and changed inputs are noticed (``stages``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rove_core.delivery.manifest import PolicyManifest, TrainingRecord
from rove_core.digest import file_digest
from rove_core.robot.spec import RobotSpec
from rove_learner.actor import ActorConfig, fine_tune, lessons_of
from rove_learner.advantages import (
    SHARE_HIGH,
    Audit,
    FloatArray,
    Labels,
    advantages,
    audit,
    folds,
    label,
)
from rove_learner.backbone import Backbone, Base, FeatureCache, all_features, load_actor
from rove_learner.critic import (
    Course,
    Critic,
    CriticConfig,
    Lesson,
    held_out_split,
    lessons,
    monte_carlo_regression,
)
from rove_learner.critic_file import load_critic, save_critic, write_npz
from rove_learner.episodes import LearnData, with_recoveries
from rove_learner.export import export
from rove_learner.frames import ChunkSet
from rove_learner.model import module_digest
from rove_learner.night_data import Teller, silent
from rove_learner.ove import optimistic_value_estimation
from rove_learner.recovery import settle
from rove_learner.rewards import RewardConfig
from rove_learner.stages import Stages, write_json
from rove_learner.summary import counts, warnings_of

POLICY, CRITIC, EARLIER = "policy.onnx", "critic.npz", "earlier_critic.npz"
RUN, VALUES = "run.json", "values.npz"
CRITIC_HISTORY, ACTOR_HISTORY = "critic_history.json", "actor_history.json"

VERSION = 1
"""Counts up when a stage computes something else from the same inputs."""


@dataclass(frozen=True)
class NightlyConfig:
    """What to learn with.

    Attributes:
        rewards: costs of endings and rescues.
        critic, actor: how to train.
        folds: K of the cross-fitting.
        share_high: wished share of high chunks.
        seed: of the folds.
        threads: CPU threads.
    """

    rewards: RewardConfig = field(default_factory=RewardConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    actor: ActorConfig = field(default_factory=ActorConfig)
    folds: int = 3
    share_high: float = SHARE_HIGH
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Night:
    """The result of a run.

    Attributes:
        folder: where everything lies.
        policy: the new policy file.
        digest: its digest.
        summary: content of ``run.json``.
        reused: stages that an earlier run had done already.
    """

    folder: Path
    policy: Path
    digest: str
    summary: dict[str, Any]
    reused: tuple[str, ...]


class NightlyRun:
    """One run over episodes that were read; the methods are its stages, in order."""

    def __init__(
        self, data: LearnData, base: Base, out: Path, config: NightlyConfig, command: str,
        tell: Teller = silent,
    ) -> None:  # fmt: skip
        torch.set_num_threads(config.threads)
        self.base, self.out, self.config, self.tell = base, out, config, tell
        self.command = command
        self.left_out = data.left_out
        self.read = data
        self.episodes = list(data.episodes)
        self.stages = Stages(out)
        self.backbone = Backbone(base.actor)
        self.inputs = [VERSION, self.backbone.digest, data.digest]

    def see(self) -> None:
        """Compute the features of all frames, or read them back (one file a bag)."""
        cache = FeatureCache(self.out / "features", self.backbone, self.base.tokenizer)
        self.features = all_features(
            self.episodes, cache, lambda n: self.tell("features", n, len(self.episodes))
        )
        if self.episodes and not cache.computed:
            self.stages.reused.append("features")

    def settle_recoveries(self, previous: Path | None) -> None:
        """Find the ``t_r`` that no mark decided, with the value of the critic before (*ours*).

        That is the critic of an earlier run, or one pretrained on the demonstrations by
        Monte-Carlo regression. Without unmarked interventions nothing is done.
        """
        if all(r.source == "mark" for e in self.episodes for r in e.recoveries):
            return
        if previous is None:
            critic = self._pretrained()
            if critic is None:
                return
        else:
            critic = load_critic(previous, self.backbone.digest)
        self.episodes = [
            with_recoveries(e, settle(e.recoveries, e.spans, critic.values(x), len(e)))
            for e, x in zip(self.episodes, self.features, strict=True)
        ]

    def _pretrained(self) -> Critic | None:
        """Return the critic of the demonstrations (Eq. 3); None when there are too few."""
        chosen = [i for i, e in enumerate(self.episodes) if not e.spans and e.success is not None]
        if len(chosen) < 2:
            return None

        def work() -> None:
            courses = [self._course(i) for i in chosen]
            mean = float(np.mean([len(c.segment) for c in courses]))
            # In pretraining C_fail is minus the mean episode length of the task (§3.1).
            costs = replace(self.config.rewards, c_fail=-mean, c_fail_lengths=0.0)
            given = lessons(courses, costs, self.config.critic.horizon)
            rng = np.random.default_rng(self.config.critic.seed)
            train, aside = held_out_split(len(given), self.config.critic.held_out, rng)
            critic, _ = monte_carlo_regression(
                [given[i] for i in train], [given[i] for i in aside], self.config.critic,
                on_step=self._bar("critic before t_r", self.config.critic.pretrain_steps),
            )  # fmt: skip
            save_critic(critic, self.out / EARLIER, self.backbone.digest)

        inputs = [*self.inputs, asdict(self.config.critic), asdict(self.config.rewards)]
        self.stages.run("pretrain", inputs, [EARLIER], work)
        return load_critic(self.out / EARLIER, self.backbone.digest)

    def learn_values(self) -> None:
        """Train K critics, each on the episodes of the other folds, and one on all of them."""
        given = lessons([self._course(i) for i in range(len(self.episodes))], self.config.rewards,
                        self.config.critic.horizon)  # fmt: skip
        # Endings and interventions must be in every fold: a critic that has never seen a failure
        # would label one.
        kinds = [f"{e.outcome.name} {bool(e.spans)}" for e in self.episodes]
        parts = folds(kinds, self.config.folds, self.config.seed)
        inputs = [
            *self.inputs, [[r.frame for r in e.recoveries] for e in self.episodes],
            asdict(self.config.critic), asdict(self.config.rewards), parts,
        ]  # fmt: skip
        values: dict[int, FloatArray] = {}
        count = int(parts.max()) + 1
        for k in range(count):
            name = f"values_{k}.npz"
            chosen = np.flatnonzero(parts == k).tolist()
            others = [given[i] for i in range(len(given)) if parts[i] != k]
            what = f"critic {k + 1} of {count + 1}"

            def work(
                name: str = name, chosen: list[int] = chosen, others: list[Lesson] = others,
                what: str = what,
            ) -> None:  # fmt: skip
                critic, _ = self._critic(others, what)
                write_npz(self.out / name,
                          {str(i): critic.values(self.features[i]) for i in chosen})  # fmt: skip

            self.stages.run(f"critic {k}", [*inputs, k], [name], work)
            with np.load(self.out / name) as stored:
                values |= {i: stored[str(i)] for i in chosen}

        def work_all() -> None:
            critic, history = self._critic(given, f"critic {count + 1} of {count + 1}")
            save_critic(critic, self.out / CRITIC, self.backbone.digest)
            write_json(self.out / CRITIC_HISTORY, history)

        self.stages.run("critic", inputs, [CRITIC, CRITIC_HISTORY], work_all)
        self.values = [values[i] for i in range(len(given))]
        self.given = given

    def _critic(self, given: Sequence[Lesson], what: str) -> tuple[Critic, list[dict[str, Any]]]:
        """Train one critic: Monte-Carlo (Eq. 3), then OVE (§3.2)."""
        config = self.config.critic
        rng = np.random.default_rng(config.seed)
        train, aside = held_out_split(len(given), config.held_out, rng)
        if not any(given[i].labelled for i in train):
            train, aside = aside, train
        kept, unseen = [given[i] for i in train], [given[i] for i in aside]
        total = config.pretrain_steps + config.steps
        tell = self._bar(what, total)
        first, regression = monte_carlo_regression(kept, unseen, config, on_step=tell)
        critic, history = optimistic_value_estimation(
            first, kept, unseen, config, on_step=lambda n: tell(config.pretrain_steps + n)
        )
        tell(total)
        done = regression[-1].step
        shifted = [replace(m, step=m.step + done) for m in history]
        return critic, [m.plain() for m in [*regression, *shifted] if np.isfinite(m.held_out)]

    def label_chunks(self) -> None:
        """Compute advantages, thresholds, labels and their audit (§3.3)."""
        self.found = [
            advantages(lesson.windows, values)
            for lesson, values in zip(self.given, self.values, strict=True)
        ]
        topics = [episode.topic for episode in self.episodes]
        self.labels: Labels = label(topics, self.found, self.config.share_high)
        self.audit: Audit = audit(self.episodes, self.found, self.labels)
        arrays: dict[str, Any] = {}
        rows = zip(self.episodes, self.values, self.found, self.labels.high, strict=True)
        for episode, values, found, high in rows:
            arrays |= {
                f"{episode.name}/time_ns": episode.times_ns,
                f"{episode.name}/value": values,
                f"{episode.name}/advantage": found,
                f"{episode.name}/high": high,
            }
        write_npz(self.out / VALUES, arrays)

    def learn_actions(self, spec: RobotSpec) -> None:
        """Fine-tune the actor, export it and prove it equal to the network (§3.3)."""
        manifest = self.base.manifest
        inputs = [
            *self.inputs, self.base.digest, spec.digest, asdict(self.config.actor),
            list(self.found), list(self.labels.high),
        ]  # fmt: skip

        def work() -> None:
            frames = [episode.frames() for episode in self.episodes]
            chunks = [
                lessons_of(e, x[:, : self.backbone.seen], a, h, manifest.horizon)
                for e, x, a, h in zip(
                    frames, self.features, self.found, self.labels.high, strict=True
                )
            ]
            rng = np.random.default_rng(self.config.actor.seed)
            train, aside = held_out_split(len(chunks), self.config.actor.held_out, rng)
            actor, history = fine_tune(
                self.base.actor, [chunks[i] for i in train], [chunks[i] for i in aside],
                self.config.actor, on_step=self._bar("actor", self.config.actor.steps),
            )  # fmt: skip
            proof = ChunkSet(frames, self.base.tokenizer, manifest.horizon)
            fresh = self._manifest(spec, sum(map(len, chunks)))
            export(actor, fresh, self.out / POLICY, proof)
            write_json(self.out / ACTOR_HISTORY, [m.plain() for m in history])

        self.stages.run("actor", inputs, [POLICY, ACTOR_HISTORY], work)

    def _manifest(self, spec: RobotSpec, chunks: int) -> PolicyManifest:
        # One input, one threshold: the file holds one number even when tasks have their own; that
        # of the only task, or the mean of several.
        level = float(np.mean(list(self.labels.thresholds.values())))
        return replace(
            self.base.manifest,
            robot_digest=spec.digest,
            advantage_conditioned=True,
            advantage_threshold=level,
            training=TrainingRecord(
                data_digest=self.read.digest,
                command=self.command,
                steps=self.config.actor.steps,
                seed=self.config.actor.seed,
                encoder_digest=module_digest(self.base.actor.image_encoder),
                episodes=len(self.episodes),
                frames=chunks,
            ),
        )

    def summarise(self, started_ns: int) -> dict[str, Any]:
        """Write ``run.json`` and return it."""
        costs = self.config.rewards.fixed([len(e) for e in self.episodes if e.success is not None])
        summary = {
            "started_ns": started_ns,
            "command": self.command,
            "base_digest": self.base.digest,
            "new_digest": file_digest(self.out / POLICY),
            "backbone_digest": self.backbone.digest,
            "data_digest": self.read.digest,
            "boundary": costs.boundary.value,
            "c_fail": costs.c_fail,
            "c_rescue": costs.c_rescue,
            "horizon": self.config.critic.horizon,
            "tau": self.config.critic.tau,
            "folds": self.config.folds,
            "thresholds": dict(self.labels.thresholds),
            "counts": counts(self.episodes, self.left_out),
            "label_audit": self.audit.plain(),
            "warnings": [*self.audit.warnings, *warnings_of(self.episodes, self.left_out)],
            "left_out": self.left_out,
            "t_r": {
                e.name: [{"frame": r.frame, "source": r.source.value} for r in e.recoveries]
                for e in self.episodes
                if e.recoveries
            },
            "reused": self.stages.reused,
        }
        sources = [r.source.value for e in self.episodes for r in e.recoveries]
        summary["t_r_sources"] = {name: sources.count(name) for name in ("mark", "value", "end")}
        write_json(self.out / RUN, summary)
        return summary

    def _course(self, i: int) -> Course:
        e = self.episodes[i]
        return Course(e.name, self.features[i], e.segment, e.success, e.recovery_frames)

    def _bar(self, what: str, total: int) -> Callable[[int], None]:
        return lambda done: self.tell(what, done, total)


def nightly(
    data: LearnData,
    base_path: Path,
    spec: RobotSpec,
    out: Path,
    config: NightlyConfig,
    command: str,
    started_ns: int,
    previous: Path | None = None,
    tell: Teller = silent,
) -> Night:
    """Make a better policy from what was read.

    Args:
        data: the day's episodes and demonstrations (``read_night``).
        base_path: policy to start from.
        spec: the robot.
        out: folder of the results; an earlier run there is continued.
        config: how to learn.
        command: what a person typed, kept in the manifest.
        started_ns: ns since 1970.
        previous: folder of an earlier run, whose critic finds ``t_r`` without a mark.
        tell: told how it goes.

    Raises:
        RoveError: anything a person can fix.
    """
    base = load_actor(base_path)
    base.manifest.require_fit(spec, str(base_path))
    run = NightlyRun(data, base, out, config, command, tell)
    run.see()
    run.settle_recoveries(previous / CRITIC if previous else None)
    run.learn_values()
    run.label_chunks()
    run.learn_actions(spec)
    summary = run.summarise(started_ns)
    return Night(out, out / POLICY, summary["new_digest"], summary, tuple(run.stages.reused))
