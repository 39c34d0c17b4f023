package controlplane

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// provisioner is the name under which the control plane itself makes volumes.
const provisioner = "controlplane/nothing"

// provisionInterval is how often claims are looked for.
const provisionInterval = time.Second

// AddStorageClass makes a StorageClass, the default one if asked for, whose claims get volumes at once, until Close. The
// volumes hold nothing.
func (c *ControlPlane) AddStorageClass(ctx context.Context, name string, isDefault bool) error {
	immediate, expandable := storagev1.VolumeBindingImmediate, true
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Annotations: map[string]string{}},
		Provisioner: provisioner, VolumeBindingMode: &immediate, AllowVolumeExpansion: &expandable,
	}
	if isDefault {
		class.Annotations["storageclass.kubernetes.io/is-default-class"] = "true"
	}
	if _, err := c.client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("add storage class: %w", err)
	}
	c.players.Go(func() { c.provision(name) })
	return nil
}

// provision plays the provisioner of a class. What fails is tried again at the next look.
func (c *ControlPlane) provision(class string) {
	ticker := time.NewTicker(provisionInterval)
	defer ticker.Stop()
	for {
		select {
		case <-c.background.Done():
			return
		case <-ticker.C:
		}
		if err := c.serveClaims(c.background, class); err != nil && c.background.Err() == nil {
			c.say("volumes of class %s: %v", class, err)
		}
	}
}

// serveClaims makes a volume for each new claim and removes the volumes whose claims are gone.
func (c *ControlPlane) serveClaims(ctx context.Context, class string) error {
	claims, err := c.client.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for _, claim := range claims.Items {
		if claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != class || claim.Spec.VolumeName != "" {
			continue
		}
		_, err := c.client.CoreV1().PersistentVolumes().Create(ctx, volumeFor(&claim), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	volumes, err := c.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for _, volume := range volumes.Items {
		if volume.Spec.StorageClassName != class || volume.Status.Phase != corev1.VolumeReleased {
			continue
		}
		err := c.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// volumeFor is a volume that only this claim can have. It is retained when the claim goes, and deleted here.
func volumeFor(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pvc-" + string(claim.UID)},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:         corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:      claim.Spec.AccessModes,
			StorageClassName: *claim.Spec.StorageClassName, VolumeMode: claim.Spec.VolumeMode,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			ClaimRef:                      &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, APIVersion: "v1"},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/nothing"}},
		},
	}
}
