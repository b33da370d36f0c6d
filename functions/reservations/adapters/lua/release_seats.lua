#!lua
-- Release the seats that a reservation holds; a seat that another reservation holds stays held.
-- KEYS 1 held seats (zset)  2.. the hold of each seat (string: reservation id)
-- ARGV 1 reservation id  2.. seat ids, in KEYS' order
-- Result how many were freed
local freed = 0
for i = 2, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if holder == ARGV[1] then
    redis.call('DEL', KEYS[i])
    freed = freed + 1
  end
  if not holder or holder == ARGV[1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return freed
