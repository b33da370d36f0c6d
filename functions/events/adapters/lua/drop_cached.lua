#!lua
-- Drop the cached responses and the leases of requests that load: they may have read the state before the change
-- (EVT-020).
-- KEYS 1 cached (hash, see read_cached.lua)
-- ARGV 1 until when a replica may not have the change, in epoch ms  2 the same in ms from now
-- Result 1
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'changed', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
