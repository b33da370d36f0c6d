#!lua
-- Forget what is cached, and the leases of those who load it: what they read may be older than the change (EVT-020).
-- KEYS 1 cached (hash, see read_cached.lua)
-- ARGV 1 until when a replica may not know of the change, in epoch ms  2 that in ms from now
-- Result 1
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'changed', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
