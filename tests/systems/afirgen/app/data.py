"""The same tables in both databases: stations, officers, reports (FIRs) with a full-text index."""

STATIONS, OFFICERS, FIRS = 40, 400, 20_000

POSTGRES = f"""
CREATE TABLE stations (id int PRIMARY KEY, name text NOT NULL, district text NOT NULL);
CREATE TABLE officers (id int PRIMARY KEY, station_id int NOT NULL REFERENCES stations, name text NOT NULL);
CREATE TABLE firs (
    id serial PRIMARY KEY, officer_id int NOT NULL REFERENCES officers, status text NOT NULL, loss_cents int NOT NULL,
    version int NOT NULL DEFAULT 1, text text NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', text)) STORED
);
INSERT INTO stations SELECT n, 'Station ' || n, (ARRAY['north','south','east','west'])[1 + n % 4]
    FROM generate_series(1, {STATIONS}) n;
INSERT INTO officers SELECT n, 1 + n % {STATIONS}, 'Officer ' || n FROM generate_series(1, {OFFICERS}) n;
INSERT INTO firs (officer_id, status, loss_cents, text)
    SELECT 1 + n % {OFFICERS}, (ARRAY['draft','filed','closed'])[1 + n % 3], n * 7919 % 900000,
        'The complainant of case ' || n || ' reported the loss of a ' ||
        (ARRAY['bicycle','necklace','phone','wallet','motorcycle','laptop','camera'])[1 + n % 7] || ' near the ' ||
        (ARRAY['market','station','river','school','temple'])[1 + n % 5] || '.'
    FROM generate_series(1, {FIRS}) n;
CREATE INDEX firs_officer ON firs (officer_id);
CREATE INDEX firs_status ON firs (status, id);
CREATE INDEX firs_words ON firs USING gin (words);
ANALYZE;
"""

MYSQL = f"""
CREATE TABLE stations (id int PRIMARY KEY, name varchar(64) NOT NULL, district varchar(16) NOT NULL) ENGINE=InnoDB;
CREATE TABLE officers (id int PRIMARY KEY, station_id int NOT NULL, name varchar(64) NOT NULL,
    KEY officers_station (station_id)) ENGINE=InnoDB;
CREATE TABLE firs (id int PRIMARY KEY AUTO_INCREMENT, officer_id int NOT NULL, status varchar(16) NOT NULL,
    loss_cents int NOT NULL, version int NOT NULL DEFAULT 1, text varchar(1000) NOT NULL,
    KEY firs_officer (officer_id), KEY firs_status (status, id), FULLTEXT KEY firs_words (text)) ENGINE=InnoDB;
INSERT INTO stations SELECT seq, CONCAT('Station ', seq), ELT(1 + seq % 4, 'north', 'south', 'east', 'west')
    FROM seq_1_to_{STATIONS};
INSERT INTO officers SELECT seq, 1 + seq % {STATIONS}, CONCAT('Officer ', seq) FROM seq_1_to_{OFFICERS};
INSERT INTO firs (officer_id, status, loss_cents, text)
    SELECT 1 + seq % {OFFICERS}, ELT(1 + seq % 3, 'draft', 'filed', 'closed'), seq * 7919 % 900000,
        CONCAT('The complainant of case ', seq, ' reported the loss of a ',
            ELT(1 + seq % 7, 'bicycle', 'necklace', 'phone', 'wallet', 'motorcycle', 'laptop', 'camera'), ' near the ',
            ELT(1 + seq % 5, 'market', 'station', 'river', 'school', 'temple'), '.')
    FROM seq_1_to_{FIRS};
ANALYZE TABLE firs, officers, stations;
"""

# One question, asked of both; {id} and {word} are parameters of the driver.
QUERIES = {
    "simple": "SELECT id, status, loss_cents FROM firs WHERE id = {id}",
    "join": "SELECT f.id, f.status, o.name AS officer, s.name AS station FROM firs f "
            "JOIN officers o ON o.id = f.officer_id JOIN stations s ON s.id = o.station_id "
            "WHERE o.id = 1 + {id} % 400 ORDER BY f.id DESC LIMIT 20",
    "aggregate": "SELECT s.district, f.status, COUNT(*) AS firs, SUM(f.loss_cents) AS loss, AVG(f.loss_cents) AS mean "
                 "FROM firs f JOIN officers o ON o.id = f.officer_id JOIN stations s ON s.id = o.station_id "
                 "WHERE s.id = 1 + {id} % 40 GROUP BY s.district, f.status",
    "explain": "EXPLAIN SELECT id FROM firs WHERE status = 'filed' AND id > {id} ORDER BY id LIMIT 20",
}
SEARCH = {
    "postgres": "SELECT id, text FROM firs WHERE words @@ plainto_tsquery('english', {word}) AND id > {id} "
                "ORDER BY id LIMIT 20",
    "mysql": "SELECT id, text FROM firs WHERE MATCH (text) AGAINST ({word}) AND id > {id} LIMIT 20",
}
