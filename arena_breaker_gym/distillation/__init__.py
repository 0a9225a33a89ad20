"""A student plays, a teacher says what it would do there: on-policy distillation into pixels."""
