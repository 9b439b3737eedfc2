// The functions inside the server, so that a batch is one statement, one transaction and one round trip. Arguments are
// arrays, an element a row: sent in binary they cost a third of JSON's time.
//
// append_batch   commits a batch in which nothing is wrong: plain inserts. It raises 'VA001' when anything is not as the
//                batch expects, and the transaction is undone; append_verdicts then finds the cause.
// append_verdicts  gives each append its own verdict, in order; then each piece of upkeep.
//
// Both take a share of the lock on the batch's buckets: a bucket that is sealed for a move waits for them, and they see
// it sealed afterwards. Both meet streams in the order of their names, so that two batches cannot wait for each other.
//
// load_streams   snapshots and events of many streams at once: most of a load's cost is the round trip and the plan.
//
// Planner settings are part of the functions: a plan made while a table was empty reads the whole of it later, hash joins
// over a hundred names cost more than a hundred look-ups, and planning anew for each batch costs more than it saves.
const PLANNER =
  "set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan";

/** A batch is not as it expects: stale, a repetition, in quarantine, fenced. */
export const NOT_AS_EXPECTED = "VA001";

export const FUNCTIONS = `
create function store_clock() returns bigint language sql volatile as
  'select (extract(epoch from clock_timestamp()) * 1000)::bigint';

-- Timers, sagas and upkeep, in order. A row of an append has its number, one of upkeep its bucket; only those in 'kept' and
-- 'owned' count, all when these are null.
create function store_extras(extras jsonb, a_stream bigint[], kept boolean[], owned smallint[], at bigint)
returns void language plpgsql ${PLANNER} as $$
declare
  x jsonb;
  id_of_stream bigint;
  cold bigint;
begin
  for x in select value from jsonb_array_elements(extras) loop
    if x ? 'append' then
      continue when kept is not null and not kept[(x->>'append')::int];
      id_of_stream := a_stream[(x->>'append')::int];
    else
      continue when owned is not null and (x->>'bucket')::smallint <> all(owned);
    end if;
    case x->>'kind'
    when 'set-timer' then
      insert into timers (id, stream, command, params, due_at, next_at, attempts)
      values (x->>'id', id_of_stream, x->>'command', x->>'params', at + (x->>'after')::bigint, at + (x->>'after')::bigint, 0)
      on conflict (id) do update set stream = excluded.stream, command = excluded.command, params = excluded.params,
        due_at = excluded.due_at, next_at = excluded.next_at, attempts = 0;
    when 'cancel-timer' then
      delete from timers where id = x->>'id';
    when 'saga' then
      insert into sagas (id, stream, state, reason, started_at, updated_at)
      values (x->>'id', id_of_stream, x->>'state', x->>'reason', at, at)
      on conflict (id) do update set state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at;
    when 'snapshot' then
      -- Only newer than the stored one; at the same version a higher schema number wins: newer code wrote it. Never past
      -- the stream's head, which would be a state that no event explains.
      insert into snapshots (stream, version, schema, state)
      select s.id, (x->>'version')::int, (x->>'schema')::int, x->>'state'
      from streams s where s.name = x->>'stream' and s.version >= (x->>'version')::int and s.archived_at is null
      on conflict (stream) do update set version = excluded.version, schema = excluded.schema, state = excluded.state
        where (excluded.version, excluded.schema) > (snapshots.version, snapshots.schema);
    when 'delete-timer' then
      delete from timers where id = x->>'id' and due_at = (x->>'due')::bigint;
    when 'postpone-timer' then
      update timers set next_at = at + (x->>'by')::bigint, attempts = attempts + 1
      where id = x->>'id' and due_at = (x->>'due')::bigint;
    when 'archive' then
      update streams set archived_at = at
      where name = x->>'stream' and version = (x->>'version')::int and archived_at is null returning id into cold;
      if found then
        insert into archived_events select * from events where stream = cold;
        delete from events where stream = cold;
        delete from snapshots where stream = cold;
      end if;
    when 'quarantine' then
      insert into streams (name, bucket, version, quarantined_at, quarantine_reason)
      values (x->>'stream', (x->>'bucket')::smallint, 0, at, x->>'reason')
      on conflict (name) do update set quarantined_at = at, quarantine_reason = excluded.quarantine_reason;
    when 'release' then
      update streams set quarantined_at = null, quarantine_reason = null where name = x->>'stream';
    end case;
  end loop;
end $$;

create function append_batch(
  b_bucket smallint[],                                            -- every bucket in the batch, once
  n_name text[], n_bucket smallint[], n_version integer[],        -- new streams, and their version afterwards
  s_name text[], s_before integer[], s_after integer[],           -- streams that are there
  k_name text[], k_version integer[],                             -- streams that are only looked at
  c_stream integer[],                                             -- commands; stream: 1 is the first new one
  c_id text[], c_version integer[], c_kind text[], c_fingerprint text[], c_answer text[],
  e_stream integer[],                                             -- events
  e_version integer[], e_type text[], e_schema integer[], e_data text[], e_metadata text[],
  g_stream integer[], g_id text[], g_state text[], g_reason text[], -- sagas, each once
  a_stream integer[], extras jsonb                                -- the stream of each append, for its extras
) returns bigint language plpgsql ${PLANNER} as $$
declare
  at bigint := store_clock();
  ids bigint[];
  known bigint[];
  n integer;
  changed integer;
begin
  perform from buckets where bucket = any(b_bucket) and state = 'owned' for share;
  get diagnostics n = row_count;
  if n <> cardinality(b_bucket) then raise exception using errcode = '${NOT_AS_EXPECTED}'; end if;

  if cardinality(n_name) > 0 then
    -- Ids are given in the order of the rows, so the sorted ids are the streams' in their order.
    with born as (
      insert into streams (name, bucket, version)
      select * from unnest(n_name, n_bucket, n_version)
      on conflict (name) do nothing returning id
    )
    select array_agg(id order by id), count(*) into ids, n from born;
    if n <> cardinality(n_name) then raise exception using errcode = '${NOT_AS_EXPECTED}'; end if;
  end if;
  if cardinality(s_name) > 0 then
    with grown as (
      update streams s set version = t.after
      from unnest(s_name, s_before, s_after) with ordinality t(name, before, after, n)
      where s.name = t.name and s.version = t.before and s.quarantined_at is null and s.archived_at is null
      returning t.n, s.id
    )
    select array_agg(grown.id order by grown.n), count(*) into known, n from grown;
    if n <> cardinality(s_name) then raise exception using errcode = '${NOT_AS_EXPECTED}'; end if;
    ids := ids || known;
  end if;
  if cardinality(k_name) > 0 then
    perform from unnest(k_name, k_version) t(name, version) left join streams s on s.name = t.name
    where coalesce(s.version, 0) <> t.version or s.quarantined_at is not null;
    if found then raise exception using errcode = '${NOT_AS_EXPECTED}'; end if;
  end if;

  insert into commands (command_id, stream, version, kind, fingerprint, answer)
  select t.id, ids[t.stream], t.version, t.kind, t.fingerprint, t.answer
  from unnest(c_stream, c_id, c_version, c_kind, c_fingerprint, c_answer) t(stream, id, version, kind, fingerprint, answer);

  insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
  select ids[t.stream], t.version, t.type, t.schema, t.data, t.metadata, at
  from unnest(e_stream, e_version, e_type, e_schema, e_data, e_metadata) t(stream, version, type, schema, data, metadata);

  if cardinality(g_id) > 0 then
    -- A saga's row is as old as its stream, so we know which it is: an insert that runs into its row costs twice an update.
    insert into sagas (id, stream, state, reason, started_at, updated_at)
    select t.id, ids[t.stream], t.state, t.reason, at, at from unnest(g_stream, g_id, g_state, g_reason) t(stream, id, state, reason)
    where t.stream <= cardinality(n_name);
    get diagnostics n = row_count;
    update sagas s set state = t.state, reason = t.reason, updated_at = at
    from unnest(g_stream, g_id, g_state, g_reason) t(stream, id, state, reason)
    where t.stream > cardinality(n_name) and s.id = t.id;
    get diagnostics changed = row_count;
    if n + changed <> cardinality(g_id) then raise exception using errcode = '${NOT_AS_EXPECTED}'; end if;
  end if;
  if extras is not null then
    perform store_extras(extras, (select array_agg(ids[t.stream] order by t.n) from unnest(a_stream) with ordinality t(stream, n)), null, null, at);
  end if;
  return at;
end $$;

-- Stable: both statements see the same moment, so a bucket that moves meanwhile takes nothing out of between them. A
-- row with a bucket's state for each stream, then its events, at most so many.
create function load_streams(p_name text[], p_bucket smallint[], p_schema integer[], p_events integer)
returns table (
  n bigint, bucket_state text, head integer, quarantine text, archived boolean, snapshot_version integer, snapshot_state text,
  "position" bigint, version integer, type text, schema_version integer, data text, metadata text, recorded_at bigint
) language plpgsql stable ${PLANNER} as $$
#variable_conflict use_column
begin
  return query
  select t.n, b.state, s.version, s.quarantine_reason, s.archived_at is not null, p.version, p.state,
    null::bigint, null::integer, null::text, null::integer, null::text, null::text, null::bigint
  from unnest(p_name, p_bucket, p_schema) with ordinality t(name, bucket, schema, n)
  join buckets b on b.bucket = t.bucket
  left join streams s on s.name = t.name
  left join snapshots p on p.stream = s.id and p.schema = t.schema;
  return query
  select t.n, null::text, null::integer, null::text, null::boolean, null::integer, null::text,
    e.position, e.version, e.type, e.schema_version, e.data, e.metadata, e.recorded_at
  from unnest(p_name, p_schema) with ordinality t(name, schema, n)
  join streams s on s.name = t.name
  left join snapshots p on p.stream = s.id and p.schema = t.schema
  cross join lateral (
    (select * from events h where h.stream = s.id and h.version > coalesce(p.version, 0) order by h.version limit p_events)
    union all
    (select * from archived_events c where s.archived_at is not null and c.stream = s.id and c.version > coalesce(p.version, 0)
     order by c.version limit p_events)
  ) e
  order by t.n, e.version;
end $$;

create function append_verdicts(
  s_name text[], s_bucket smallint[],                             -- the streams of the batch, sorted by name
  a_stream integer[], a_expected integer[], a_version integer[],  -- appends, in order
  a_id text[], a_kind text[], a_fingerprint text[], a_answer text[], -- id null: only looks whether the version is right
  e_append integer[],                                             -- events
  e_version integer[], e_type text[], e_schema integer[], e_data text[], e_metadata text[],
  u_bucket smallint[],                                            -- upkeep, in order
  extras jsonb
) returns table (verdict text, version integer, kind text, fingerprint text, answer text, recorded_at bigint)
language plpgsql ${PLANNER} as $$
#variable_conflict use_column
declare
  at bigint := store_clock();
  ids bigint[] := array_fill(null::bigint, array[cardinality(s_name)]);
  heads integer[] := array_fill(0, array[cardinality(s_name)]);
  failed boolean[] := array_fill(false, array[cardinality(s_name)]);
  archived boolean[] := array_fill(false, array[cardinality(s_name)]);
  owned smallint[] := '{}';
  kept boolean[] := array_fill(false, array[cardinality(a_id)]);
  before integer[];
  r record;
  first record;
  s integer;
begin
  for r in select b.bucket from buckets b where b.bucket = any(s_bucket || u_bucket) and b.state = 'owned'
           order by b.bucket for share loop
    owned := owned || r.bucket;
  end loop;

  insert into streams (name, bucket, version)
  select t.name, t.bucket, 0 from unnest(s_name, s_bucket) with ordinality t(name, bucket, n)
  where t.bucket = any(owned) and exists (
    select from unnest(a_stream, a_expected, a_id) a(stream, expected, id) where a.stream = t.n and a.expected = 0 and a.id is not null)
  order by t.name on conflict (name) do nothing;

  -- Lock first, look in the next statements: one that does both misses a twin which committed while it waited.
  for r in select t.n, s.id, s.version, s.quarantined_at is not null as aside, s.archived_at is not null as is_cold
           from unnest(s_name) with ordinality t(name, n) join streams s on s.name = t.name
           order by s.name for update of s loop
    ids[r.n] := r.id;
    heads[r.n] := r.version;
    failed[r.n] := r.aside;
    archived[r.n] := r.is_cold;
  end loop;
  before := heads;

  for i in 1..cardinality(a_id) loop
    s := a_stream[i];
    recorded_at := at; kind := null; fingerprint := null; answer := null; version := null;
    if s_bucket[s] <> all(owned) then
      verdict := 'fenced';
    elsif a_id[i] is null then
      if failed[s] or heads[s] <> a_expected[i] then
        failed[s] := true;
        verdict := 'conflict';
      else
        verdict := 'ok'; version := heads[s];
      end if;
    else
      -- A repetition is a duplicate however old its view of the stream is: it must get the first answer.
      select c.version, c.kind, c.fingerprint, c.answer into first from commands c where c.command_id = a_id[i] and c.stream = ids[s];
      if found then
        failed[s] := true;
        verdict := 'duplicate'; version := first.version; kind := first.kind; fingerprint := first.fingerprint; answer := first.answer;
      elsif failed[s] or archived[s] or heads[s] <> a_expected[i] or ids[s] is null then
        failed[s] := true;
        verdict := 'conflict';
      else
        insert into commands (command_id, stream, version, kind, fingerprint, answer)
        values (a_id[i], ids[s], a_version[i], a_kind[i], a_fingerprint[i], a_answer[i]);
        heads[s] := a_version[i];
        kept[i] := true;
        verdict := 'ok'; version := heads[s];
      end if;
    end if;
    return next;
  end loop;
  for i in 1..cardinality(u_bucket) loop
    verdict := case when u_bucket[i] = any(owned) then 'ok' else 'fenced' end;
    version := null; kind := null; fingerprint := null; answer := null; recorded_at := null;
    return next;
  end loop;

  update streams s set version = heads[t.n] from unnest(ids) with ordinality t(id, n)
  where s.id = t.id and heads[t.n] <> before[t.n];

  insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
  select ids[a_stream[t.append]], t.version, t.type, t.schema, t.data, t.metadata, at
  from unnest(e_append, e_version, e_type, e_schema, e_data, e_metadata) t(append, version, type, schema, data, metadata)
  where kept[t.append];

  if extras is not null then
    perform store_extras(extras, (select array_agg(ids[t.stream] order by t.n) from unnest(a_stream) with ordinality t(stream, n)), kept, owned, at);
  end if;
end $$;
`;

/** `store_extras` as it is since timers have a cause. */
export const STORE_EXTRAS_WITH_CAUSE = `
create or replace function store_extras(extras jsonb, a_stream bigint[], kept boolean[], owned smallint[], at bigint)
returns void language plpgsql ${PLANNER} as $$
declare
  x jsonb;
  id_of_stream bigint;
  cold bigint;
begin
  for x in select value from jsonb_array_elements(extras) loop
    if x ? 'append' then
      continue when kept is not null and not kept[(x->>'append')::int];
      id_of_stream := a_stream[(x->>'append')::int];
    else
      continue when owned is not null and (x->>'bucket')::smallint <> all(owned);
    end if;
    case x->>'kind'
    when 'set-timer' then
      insert into timers (id, stream, command, params, due_at, next_at, attempts, cause)
      values (x->>'id', id_of_stream, x->>'command', x->>'params', at + (x->>'after')::bigint, at + (x->>'after')::bigint, 0, x->>'cause')
      on conflict (id) do update set stream = excluded.stream, command = excluded.command, params = excluded.params,
        due_at = excluded.due_at, next_at = excluded.next_at, attempts = 0, cause = excluded.cause;
    when 'cancel-timer' then
      delete from timers where id = x->>'id';
    when 'saga' then
      insert into sagas (id, stream, state, reason, started_at, updated_at)
      values (x->>'id', id_of_stream, x->>'state', x->>'reason', at, at)
      on conflict (id) do update set state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at;
    when 'snapshot' then
      -- Only newer than the stored one; at the same version a higher schema number wins: newer code wrote it. Never past
      -- the stream's head, which would be a state that no event explains.
      insert into snapshots (stream, version, schema, state)
      select s.id, (x->>'version')::int, (x->>'schema')::int, x->>'state'
      from streams s where s.name = x->>'stream' and s.version >= (x->>'version')::int and s.archived_at is null
      on conflict (stream) do update set version = excluded.version, schema = excluded.schema, state = excluded.state
        where (excluded.version, excluded.schema) > (snapshots.version, snapshots.schema);
    when 'delete-timer' then
      delete from timers where id = x->>'id' and due_at = (x->>'due')::bigint;
    when 'postpone-timer' then
      update timers set next_at = at + (x->>'by')::bigint, attempts = attempts + 1
      where id = x->>'id' and due_at = (x->>'due')::bigint;
    when 'archive' then
      update streams set archived_at = at
      where name = x->>'stream' and version = (x->>'version')::int and archived_at is null returning id into cold;
      if found then
        insert into archived_events select * from events where stream = cold;
        delete from events where stream = cold;
        delete from snapshots where stream = cold;
      end if;
    when 'quarantine' then
      insert into streams (name, bucket, version, quarantined_at, quarantine_reason)
      values (x->>'stream', (x->>'bucket')::smallint, 0, at, x->>'reason')
      on conflict (name) do update set quarantined_at = at, quarantine_reason = excluded.quarantine_reason;
    when 'release' then
      update streams set quarantined_at = null, quarantine_reason = null where name = x->>'stream';
    end case;
  end loop;
end $$;
`;
