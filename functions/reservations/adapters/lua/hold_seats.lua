#!lua
-- Hold all of some seats for a reservation, or none (RSV-001, EVT-026).
-- KEYS 1 held seats (zset seat id -> hold end in epoch ms)  2.. the hold of each seat (string: reservation id)
-- ARGV 1 reservation id  2 life in ms  3 now in epoch ms  4.. seat ids, in KEYS' order
-- Result the ids of seats another reservation holds; empty when all are held now
local held, reservation, life, now = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local taken = {}
for i = 2, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if holder and holder ~= reservation then
    taken[#taken + 1] = ARGV[i + 2]
  end
end
if #taken > 0 then return taken end

for i = 2, #KEYS do
  redis.call('SET', KEYS[i], reservation, 'PX', life)
  redis.call('ZADD', held, string.format('%.0f', now + life), ARGV[i + 2])
end
-- The keys of holds expire on their own; the set of held seats is cleaned up by the next hold.
redis.call('ZREMRANGEBYSCORE', held, '-inf', ARGV[3])
return taken
