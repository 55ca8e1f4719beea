-- The public status page asks how all accounts' requests of some days went. The day of a rollup never changes, so keeping this costs one
-- row at a rollup's first request and nothing at the others.
CREATE INDEX usage_day_of_all ON usage_day (day);

-- What waits among the dead letters, the oldest first: pages and metrics count it.
CREATE INDEX dead_letter_waiting ON dead_letter (parked_at, id) WHERE replayed_at IS NULL;
