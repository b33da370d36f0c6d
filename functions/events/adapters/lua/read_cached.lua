#!lua
-- Look at a cached answer, or take on its loading when there is none that is fresh (EVT-017, EVT-027).
-- KEYS 1 cached (hash: <field>:body, <field>:fresh and <field>:usable in epoch ms, <field>:lease "<until ms> <token>",
--        <field>:late and <field>:late_at, a body not kept and the epoch ms its loading began at,
--        changed in epoch ms until which a replica may not know of the last change)
-- ARGV 1 field  2 now in epoch ms  3 our token  4 life of a lease in ms  5 life of the key in ms
--      6 since when we have been asking, in epoch ms
-- Result {"HIT", body} | {"STALE", body} another loads it anew | {"LOAD", "1" past the replica} we do | {"WAIT"} another does
local cached, field, now, token, lease_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local found = redis.call('HMGET', cached, field .. ':body', field .. ':fresh', field .. ':usable', field .. ':lease',
  'changed', field .. ':late', field .. ':late_at')
local body = found[1]
if body and now < tonumber(found[2]) then return {'HIT', body} end
-- Changed while it was loaded, so it cannot be kept; but it was read after we asked, which is all we can ask for.
if found[6] and tonumber(found[7]) > tonumber(ARGV[6]) then return {'HIT', found[6]} end

local loading = found[4] and tonumber(string.match(found[4], '^%d+')) > now
if loading then
  if body and now < tonumber(found[3]) then return {'STALE', body} end
  return {'WAIT'}
end
redis.call('HSET', cached, field .. ':lease', string.format('%.0f %s', now + lease_ms, token))
redis.call('PEXPIRE', cached, ARGV[5])
return {'LOAD', found[5] and tonumber(found[5]) > now and '1' or '0'}
