"""Experiments of the IPGD paper."""
