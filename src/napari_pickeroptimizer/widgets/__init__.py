"""One small file a widget; what they do is in `plugin.session` and `plugin.jobs`."""
