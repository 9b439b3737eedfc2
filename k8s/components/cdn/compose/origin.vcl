# The shop that `npm start` runs on the machine of the container.
backend default {
  .host = "host.docker.internal";
  .port = "3000";
  .probe = gateway;
  .first_byte_timeout = 35s;
  .connect_timeout = 1s;
}
