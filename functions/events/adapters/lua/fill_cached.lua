#!lua
-- Keep an answer that was loaded, unless what it was loaded from has changed since: a change drops the lease. Then it is
-- only for those who have been waiting since before it was read (EVT-020, EVT-027).
-- KEYS 1 cached (hash, see read_cached.lua)
-- ARGV 1 field  2 our token  3 body, or "" to give the lease back  4 fresh until  5 usable until, in epoch ms
--      6 life of the key in ms  7 fields the hash may have  8 when the loading began, in epoch ms
-- Result 1 when kept
local cached, field, token, body = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local lease = redis.call('HGET', cached, field .. ':lease')
local ours = lease and string.match(lease, ' (.+)$') == token
if ours then redis.call('HDEL', cached, field .. ':lease') end
if body == '' then return 0 end
-- Whoever thinks up searches must not fill the memory: begin again.
if redis.call('HLEN', cached) > tonumber(ARGV[7]) then redis.call('DEL', cached) end
if ours then
  redis.call('HSET', cached, field .. ':body', body, field .. ':fresh', ARGV[4], field .. ':usable', ARGV[5])
else
  redis.call('HSET', cached, field .. ':late', body, field .. ':late_at', ARGV[8])
end
redis.call('PEXPIRE', cached, ARGV[6])
return ours and 1 or 0
