"""What runs the tracker elsewhere: image, Kafka, Prometheus rules, the Grafana dashboard and what makes it."""
