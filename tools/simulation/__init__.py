"""Simulated buyers, messages and failures against the real services: the model, the chaos drill, the crowded sale."""
