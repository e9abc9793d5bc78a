#!lua flags=allow-oom
--!include permit
--!include facts
-- Ends a permit without a job. KEYS[1] prefix; ARGV[2] JSON {lease, settle, told}; returns 1, or 0 when it had lapsed

need_settle(A.settle)
if A.told then need_told(A.told) end
local now = read_clock()
local info = lease_read(A.lease)
if not info then return 0 end
lease_drop(A.lease, info, now)
permit_settle(info, A.lease, A.settle, A.told, now)
return 1
