#!lua
-- Cache a response that was loaded, unless its source has changed since: a change drops the lease. Then it only serves
-- requests that have waited since before it was read (EVT-020, EVT-027).
-- KEYS 1 cached (hash, see read_cached.lua)
-- ARGV 1 field  2 our token  3 body, or "" to release the lease  4 fresh until  5 usable until, in epoch ms
--      6 TTL of the key in ms  7 maximum number of fields  8 when loading began, in epoch ms
-- Result 1 if cached
local cached, field, token, body = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local lease = redis.call('HGET', cached, field .. ':lease')
local ours = lease and string.match(lease, ' (.+)$') == token
if ours then redis.call('HDEL', cached, field .. ':lease') end
if body == '' then return 0 end
-- Many different searches must not fill the memory: start again with an empty hash.
if redis.call('HLEN', cached) > tonumber(ARGV[7]) then redis.call('DEL', cached) end
if ours then
  redis.call('HSET', cached, field .. ':body', body, field .. ':fresh', ARGV[4], field .. ':usable', ARGV[5])
else
  redis.call('HSET', cached, field .. ':late', body, field .. ':late_at', ARGV[8])
end
redis.call('PEXPIRE', cached, ARGV[6])
return ours and 1 or 0
