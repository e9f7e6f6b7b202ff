"""HTTP: towards clients (`server`, `h1`, `h2`, `h3`), towards upstreams (`client`), and admission
(`rules`).
"""
