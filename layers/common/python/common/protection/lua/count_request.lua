#!lua
-- Let a request through, or say when the next may come: GCRA (GW-005, GW-006).
-- KEYS 1 limit (string: when, in epoch µs, the allowance would be whole again)
-- ARGV 1 now in epoch µs  2 µs of one request: the minute divided by the limit  3 requests that may come at once
-- Result {1 let through or 0, requests left at once, µs until the next may come}
local now, each, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local whole = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local after = whole + each
local wait = after - burst * each - now
if wait > 0 then
  return {0, 0, math.ceil(wait)}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor((burst * each - (after - now)) / each), 0}
