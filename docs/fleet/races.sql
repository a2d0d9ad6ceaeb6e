-- Keep-alive races by how long the connection had been idle: a peak at one time is the idle timeout of a server.
-- Reads OUT/details.ndjson of docs/fleet/read.
with races as (
  select
    file, server, counts.times as times,
    regexp_extract(message, 'idle for (?:([0-9]+) min )?([0-9.]+) (ms|s)', ['minutes', 'number', 'unit']) as idle
  from read_ndjson_auto('details.ndjson', maximum_object_size = 268435456, sample_size = -1, union_by_name = true)
  where kind = 'finding' and rule = 'keep-alive-race'
)
select
  round(coalesce(try_cast(idle.minutes as double), 0) * 60
    + try_cast(idle.number as double) / case idle.unit when 'ms' then 1000 else 1 end, 1) as idle_seconds,
  sum(times) as races,
  count(distinct server) as servers,
  count(distinct file) as captures
from races
group by all
order by races desc, idle_seconds;
