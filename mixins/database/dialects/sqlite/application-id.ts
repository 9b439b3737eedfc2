/**
 * Marks a SQLite file in the data folder that a service keeps beside its own database, so that `valence reset` knows it:
 * `pragma application_id = ${APPLICATION_ID}`. "VALE" in ASCII (https://www.sqlite.org/fileformat2.html#application_id).
 */
export const APPLICATION_ID = 0x56_41_4c_45;
