# Where answers come from in Kubernetes.
backend default {
  .host = "gateway";
  .port = "80";
  .probe = gateway;
  # Longer than a call may take.
  .first_byte_timeout = 35s;
  .connect_timeout = 1s;
}
