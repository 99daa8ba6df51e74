-- A packhouse business: growers deliver batches, batches have a history, growers are paid.
CREATE TABLE users (
    id serial PRIMARY KEY,
    email text NOT NULL UNIQUE,
    salt bytea NOT NULL,
    password bytea NOT NULL
);
CREATE TABLE packhouses (
    id serial PRIMARY KEY,
    name text NOT NULL,
    region text NOT NULL,
    capacity_kg integer NOT NULL
);
CREATE TABLE growers (
    id serial PRIMARY KEY,
    name text NOT NULL,
    region text NOT NULL,
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE batches (
    id serial PRIMARY KEY,
    grower_id integer NOT NULL REFERENCES growers,
    packhouse_id integer NOT NULL REFERENCES packhouses,
    fruit_type text NOT NULL,
    status text NOT NULL,
    harvest_date date NOT NULL,
    intake_date date NOT NULL,
    weight_kg numeric(10, 1) NOT NULL
);
CREATE TABLE batch_history (
    id serial PRIMARY KEY,
    batch_id integer NOT NULL REFERENCES batches,
    recorded_at timestamptz NOT NULL,
    event text NOT NULL
);
CREATE TABLE grower_payments (
    id serial PRIMARY KEY,
    grower_id integer NOT NULL REFERENCES growers,
    amount_cents integer NOT NULL,
    paid_date date NOT NULL,
    created_at timestamptz NOT NULL
);

-- The same rows every time: pure functions of their numbers.
INSERT INTO packhouses (name, region, capacity_kg)
SELECT 'Packhouse ' || n, (ARRAY['north', 'south', 'east', 'west'])[1 + n % 4], 50000 + n * 1000
FROM generate_series(1, 40) n;

INSERT INTO growers (name, region)
SELECT 'Grower ' || n, (ARRAY['north', 'south', 'east', 'west'])[1 + n % 4]
FROM generate_series(1, 2000) n;

INSERT INTO batches (grower_id, packhouse_id, fruit_type, status, harvest_date, intake_date, weight_kg)
SELECT 1 + (n * 7919) % 2000, 1 + n % 40, (ARRAY['apple', 'pear', 'plum', 'cherry', 'kiwi'])[1 + n % 5],
       (ARRAY['received', 'graded', 'packed', 'shipped'])[1 + (n / 7) % 4],
       date '2025-01-01' + (n * 31) % 360, date '2025-01-02' + (n * 31) % 360, 200 + (n::bigint * 104729) % 3000 / 10.0
FROM generate_series(1, 60000) n;

INSERT INTO batch_history (batch_id, recorded_at, event)
SELECT n, timestamptz '2025-01-02 06:00Z' + (n * 31) % 360 * interval '1 day', 'received'
FROM generate_series(1, 60000) n;

INSERT INTO grower_payments (grower_id, amount_cents, paid_date, created_at)
SELECT 1 + (n::bigint * 104729) % 2000, 10000 + (n * 7919) % 90000, date '2025-02-01' + n % 360,
       timestamptz '2025-02-01 08:00Z' + n % 360 * interval '1 day'
FROM generate_series(1, 20000) n;

CREATE INDEX ix_batches_grower_harvest_status ON batches (grower_id, harvest_date, status);
CREATE INDEX ix_batches_intake_date ON batches (intake_date);
CREATE INDEX ix_batches_fruit_type ON batches (fruit_type);
CREATE INDEX ix_batch_history_batch_recorded ON batch_history (batch_id, recorded_at);
CREATE INDEX ix_grower_payments_grower_date ON grower_payments (grower_id, paid_date);
CREATE INDEX ix_grower_payments_paid_date ON grower_payments (paid_date);
CREATE INDEX ix_grower_payments_created_at ON grower_payments (created_at);

CREATE MATERIALIZED VIEW daily_grower_intake AS
SELECT intake_date, grower_id, count(*) AS batches, sum(weight_kg) AS weight_kg
FROM batches GROUP BY intake_date, grower_id;
CREATE UNIQUE INDEX ix_daily_grower_intake ON daily_grower_intake (intake_date, grower_id);

ANALYZE;
