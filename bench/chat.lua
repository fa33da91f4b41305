-- wrk: one chat request, over and over. MODEL, KEY and STREAM come from the environment.
local stream = os.getenv("STREAM") == "1" and ',"stream":true' or ""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("KEY")
wrk.body = '{"model":"' .. os.getenv("MODEL") .. '","messages":['
  .. '{"role":"system","content":"You are a helpful assistant."},'
  .. '{"role":"user","content":"Which of the two roads is shorter, and by how much? Answer in one sentence."}'
  .. '],"temperature":0.7,"max_tokens":100' .. stream .. "}"
