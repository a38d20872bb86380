"""Scoring by several processes, on this machine or on a cluster; the results are those of one."""
