"""The parts of the report of a run (tracker.sinks.report_sink)."""
