-- What serving took of energy, and what the machine was like meanwhile: how busy it was, and how long requests waited that there was no room for.

ALTER TABLE costs ADD COLUMN cpu_joules REAL;
ALTER TABLE costs ADD COLUMN gpu_joules REAL;

ALTER TABLE windows ADD COLUMN device_busy REAL;
ALTER TABLE windows ADD COLUMN device_share REAL;
ALTER TABLE windows ADD COLUMN crowded REAL;
ALTER TABLE windows ADD COLUMN cores_used REAL;
ALTER TABLE windows ADD COLUMN cores_most REAL;
