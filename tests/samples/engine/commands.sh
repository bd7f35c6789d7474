# Post a message
curl -X POST https://gate.example/webhook/inbound \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer ${BACKEND_API_SECRET_TOKEN}" \
  -d '{"from":"+1234567890","message":"test","tenant_id":"garden"}'

# Poll for a job
curl -X GET https://gate.example/queue/next-job \
  -H "Authorization: Bearer ${BACKEND_API_SECRET_TOKEN}"

# Look at the queue
curl https://gate.example/
