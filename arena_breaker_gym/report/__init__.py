"""The run report: one HTML page a run, complete in itself, with table, charts and films.

Stands above `rollout` and knows no agent and no model; needs the extra "report".
"""

from arena_breaker_gym.report.report import Curve, CurveLine, Report, VideoPanel
from arena_breaker_gym.report.writing import write_report

__all__ = ["Curve", "CurveLine", "Report", "VideoPanel", "write_report"]
