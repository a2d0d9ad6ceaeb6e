-- The servers with the most failed requests, and in how many captures. What the end of a capture cuts off has not failed.
-- Reads OUT/details.ndjson of docs/fleet/read.
select
  (server->>'ip') || ':' || (server->>'port') as server,
  count(*) filter (where outcome = 'failed' and e.outcome <> 'complete') as failed_requests,
  count(*) as requests,
  count(distinct file) as captures
from (
  select file, server, outcome, unnest(exchanges) as e
  from read_ndjson_auto('details.ndjson', maximum_object_size = 268435456, sample_size = -1, union_by_name = true)
  where kind = 'connection'
)
group by all
having failed_requests > 0
order by failed_requests desc, requests desc, server
limit 20;
