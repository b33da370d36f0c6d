#!lua
-- Read a cached response, or take the lease to load it if none is fresh (EVT-017, EVT-027).
-- KEYS 1 cached (hash: <field>:body, <field>:fresh and <field>:usable in epoch ms, <field>:lease "<until ms> <token>",
--        <field>:late and <field>:late_at, a body that was not cached and when its loading began in epoch ms,
--        changed, until when a replica may not have the last change, in epoch ms)
-- ARGV 1 field  2 now in epoch ms  3 our token  4 TTL of a lease in ms  5 TTL of the key in ms
--      6 when this request began, in epoch ms
-- Result {"HIT", body} | {"STALE", body} another request reloads it | {"LOAD", "1" to bypass the replica} load it
--        | {"WAIT"} another request loads it
local cached, field, now, token, lease_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local found = redis.call('HMGET', cached, field .. ':body', field .. ':fresh', field .. ':usable', field .. ':lease',
  'changed', field .. ':late', field .. ':late_at')
local body = found[1]
if body and now < tonumber(found[2]) then return {'HIT', body} end
-- Changed while it was loaded, so it was not cached; but it was read after this request began, so it is new enough.
if found[6] and tonumber(found[7]) > tonumber(ARGV[6]) then return {'HIT', found[6]} end

local loading = found[4] and tonumber(string.match(found[4], '^%d+')) > now
if loading then
  if body and now < tonumber(found[3]) then return {'STALE', body} end
  return {'WAIT'}
end
redis.call('HSET', cached, field .. ':lease', string.format('%.0f %s', now + lease_ms, token))
redis.call('PEXPIRE', cached, ARGV[5])
return {'LOAD', found[5] and tonumber(found[5]) > now and '1' or '0'}
