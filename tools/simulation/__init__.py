"""Simulated buyers, messages and failures against the real services: the model, the chaos test, the crowd sale."""
