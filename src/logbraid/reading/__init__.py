"""Reading what logbraid writes: one way to all files of all tenants, and questions to ask of them.

``read_records`` yields the records of a log directory that a ``Filter`` lets through, in bounded
memory; ``count`` counts them and their latencies. Needs nothing beside logbraid itself; where
``duckdb`` is installed (extra ``cli``), counting is faster.
"""

from logbraid.reading.errors import QuestionError
from logbraid.reading.filters import Filter
from logbraid.reading.findings import Findings
from logbraid.reading.places import LogFile, find_files
from logbraid.reading.records import Row, read_records
from logbraid.reading.statistics import Group, Statistics, count
from logbraid.reading.when import parse_when
from logbraid.reading.where import parse_where

__all__ = [
    "Filter",
    "Findings",
    "Group",
    "LogFile",
    "QuestionError",
    "Row",
    "Statistics",
    "count",
    "find_files",
    "parse_when",
    "parse_where",
    "read_records",
]
