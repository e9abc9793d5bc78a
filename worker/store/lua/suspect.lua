#!lua flags=allow-oom
--!include suspect
-- A worker saw the server's clock step forward. KEYS[1] prefix; ARGV[2] JSON {cause, lease_us, mode}; returns now µs

local now = read_clock()
if now >= QUIET then suspect_begin(A.cause, A.lease_us, A.mode, now) end
return now
